// One spelling for what CPython 3.10 to 3.15 spell differently. Nothing here runs Python code unless it says
// so.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <mutex>

namespace boc::py {

// A short lock around data of ours. On free-threaded builds a waiting thread is detached (else it would hold
// up a collection that the lock's holder waits for). Never held while Python code may run.
#ifdef Py_GIL_DISABLED
class Mutex {
 public:
  void lock() noexcept { PyMutex_Lock(&mutex_); }
  void unlock() noexcept { PyMutex_Unlock(&mutex_); }

 private:
  PyMutex mutex_{};
};
#else
using Mutex = std::mutex;
#endif

inline Py_ssize_t request_code_extra_index(freefunc free) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
  return PyUnstable_Eval_RequestCodeExtraIndex(free);
#else
  return _PyEval_RequestCodeExtraIndex(free);
#endif
}

inline int get_code_extra(PyObject* code, Py_ssize_t index, void** extra) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
  return PyUnstable_Code_GetExtra(code, index, extra);
#else
  return _PyCode_GetExtra(code, index, extra);
#endif
}

inline int set_code_extra(PyObject* code, Py_ssize_t index, void* extra) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
  return PyUnstable_Code_SetExtra(code, index, extra);
#else
  return _PyCode_SetExtra(code, index, extra);
#endif
}

// Does the calling thread run in an interpreter just now?
inline bool attached() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  return PyThreadState_GetUnchecked() != nullptr;
#else
  return _PyThreadState_UncheckedGet() != nullptr;
#endif
}

// The value of `key` in an exact or derived dict as a new reference; null with or without an error set.
inline PyObject* dict_get(PyObject* dict, PyObject* key) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  PyObject* value = nullptr;
  (void)PyDict_GetItemRef(dict, key, &value);
  return value;
#else
  return Py_XNewRef(PyDict_GetItemWithError(dict, key));
#endif
}

// The exception being raised, taken out of the thread state: normalised, with its traceback; null if none.
inline PyObject* take_exception() noexcept {
#if PY_VERSION_HEX >= 0x030C0000
  return PyErr_GetRaisedException();
#else
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  if (!type) return nullptr;
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback) PyException_SetTraceback(value, traceback);
  Py_XDECREF(traceback);
  Py_DECREF(type);
  return value;
#endif
}

// Raises `exception` (steals it; null clears).
inline void raise_exception(PyObject* exception) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
  PyErr_SetRaisedException(exception);
#else
  if (!exception) {
    PyErr_Clear();
    return;
  }
  PyErr_Restore(Py_NewRef(Py_TYPE(exception)), exception, PyException_GetTraceback(exception));
#endif
}

// Objects that another thread may be changing: free-threaded builds lock the object, others hold the GIL.
#if PY_VERSION_HEX >= 0x030D0000
#define BOC_BEGIN_CRITICAL_SECTION(op) Py_BEGIN_CRITICAL_SECTION(op)
#define BOC_END_CRITICAL_SECTION() Py_END_CRITICAL_SECTION()
#else
#define BOC_BEGIN_CRITICAL_SECTION(op) {
#define BOC_END_CRITICAL_SECTION() }
#endif

// A strong reference for the length of a scope. Its destructor may run Python code.
class Ref {
 public:
  Ref() = default;
  explicit Ref(PyObject* stolen) noexcept : object_(stolen) {}
  Ref(Ref&& other) noexcept : object_(other.release()) {}
  Ref& operator=(Ref&& other) noexcept {
    PyObject* old = object_;
    object_ = other.release();
    Py_XDECREF(old);
    return *this;
  }
  ~Ref() { Py_XDECREF(object_); }
  PyObject* get() const noexcept { return object_; }
  PyObject* release() noexcept {
    PyObject* object = object_;
    object_ = nullptr;
    return object;
  }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

}  // namespace boc::py
