/* One spelling for CPython's cross-interpreter data (XIData), which is private and named differently in 3.10 to 3.12,
 * 3.13, and 3.14 and later. C11 and C++17; header only. Nothing of CPython's internal headers is included, so nothing
 * here needs Py_BUILD_CORE; whoever includes those headers too must include them first.
 *
 *   XIDATA_T                                     what an object is on its way between interpreters
 *   XIDATA_NEW()                                 a new, empty one; NULL with MemoryError
 *   XIDATA_INIT(x, interp, data, obj, make)      fills it: `data` is yours; `obj` (or NULL) is kept alive meanwhile;
 *                                                make(x) returns a new object in the interpreter that calls it
 *   XIDATA_SET_FREE(x, fn)                       fn(data) is called once when it is done with; it must not touch Python
 *   XIDATA_GETXIDATA(obj, x)                     asks the object's type: 0, or -1 with an error
 *   XIDATA_NEWOBJECT(x)                          a new reference, or NULL with an error
 *   XIDATA_FREE(x)                               what it holds and itself; in the interpreter that made it
 *   XIDATA_GETDATA_FUNC(name) { ... }            defines a callback with parameters tstate, obj, xidata: 0, or -1 with an
 *                                                error
 *   XIDATA_REGISTERCLASS(type, name)             from now on the callback answers for objects of exactly this type, in this
 *                                                interpreter: call it in the module's exec slot. 0, or -1 with an error
 *   xidata_supported(obj)                        does the object's type take part? Leaves no error
 *   BOC_NO_MULTIGIL                              defined where interpreters share one GIL (before 3.12)
 */
#ifndef BOCPY_XIDATA_H
#define BOCPY_XIDATA_H

#ifndef PY_SSIZE_T_CLEAN
#define PY_SSIZE_T_CLEAN
#endif
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(Py_LIMITED_API)
#error "bocpy/xidata.h needs the full API of CPython: undefine Py_LIMITED_API"
#endif

#if PY_VERSION_HEX < 0x030C0000
#define BOC_NO_MULTIGIL 1
#endif

#if defined(__GNUC__)
#define BOCPY_UNUSED __attribute__((unused))
#else
#define BOCPY_UNUSED
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What CPython exports and declares in internal headers only. */
#if PY_VERSION_HEX >= 0x030E0000

typedef struct _xidata _PyXIData_t;
#ifndef Py_INTERNAL_CROSSINTERP_H
struct _xidata {
  void* data;
  PyObject* obj;
  int64_t interpid;
  PyObject* (*new_object)(_PyXIData_t*);
  void (*free)(void*);
};
typedef struct {
  int (*basic)(PyThreadState*, PyObject*, _PyXIData_t*);
  int (*fallback)(PyThreadState*, PyObject*, int, _PyXIData_t*);
} _PyXIData_getdata_t;
PyAPI_FUNC(_PyXIData_t*) _PyXIData_New(void);
PyAPI_FUNC(void) _PyXIData_Free(_PyXIData_t*);
PyAPI_FUNC(void) _PyXIData_Init(_PyXIData_t*, PyInterpreterState*, void*, PyObject*, PyObject* (*)(_PyXIData_t*));
PyAPI_FUNC(_PyXIData_getdata_t) _PyXIData_Lookup(PyThreadState*, PyObject*);
PyAPI_FUNC(int) _PyObject_GetXIDataNoFallback(PyThreadState*, PyObject*, _PyXIData_t*);
PyAPI_FUNC(PyObject*) _PyXIData_NewObject(_PyXIData_t*);
PyAPI_FUNC(int) _PyXIData_RegisterClass(PyThreadState*, PyTypeObject*, _PyXIData_getdata_t);
#endif

#elif PY_VERSION_HEX >= 0x030D0000

typedef struct _xid _PyCrossInterpreterData;
#ifndef Py_INTERNAL_CROSSINTERP_H
struct _xid {
  void* data;
  PyObject* obj;
  int64_t interpid;
  PyObject* (*new_object)(_PyCrossInterpreterData*);
  void (*free)(void*);
};
typedef int (*crossinterpdatafunc)(PyThreadState*, PyObject*, _PyCrossInterpreterData*);
PyAPI_FUNC(_PyCrossInterpreterData*) _PyCrossInterpreterData_New(void);
PyAPI_FUNC(void) _PyCrossInterpreterData_Free(_PyCrossInterpreterData*);
PyAPI_FUNC(void) _PyCrossInterpreterData_Init(_PyCrossInterpreterData*, PyInterpreterState*, void*, PyObject*,
                                              PyObject* (*)(_PyCrossInterpreterData*));
PyAPI_FUNC(crossinterpdatafunc) _PyCrossInterpreterData_Lookup(PyObject*);
PyAPI_FUNC(int) _PyObject_GetCrossInterpreterData(PyObject*, _PyCrossInterpreterData*);
PyAPI_FUNC(PyObject*) _PyCrossInterpreterData_NewObject(_PyCrossInterpreterData*);
PyAPI_FUNC(int) _PyCrossInterpreterData_RegisterClass(PyTypeObject*, crossinterpdatafunc);
#endif

#endif

#if PY_VERSION_HEX >= 0x030E0000
#define XIDATA_T _PyXIData_t
#else
#define XIDATA_T _PyCrossInterpreterData
#endif

typedef PyObject* (*bocpy_new_object_func)(XIDATA_T*);
#ifdef BOC_NO_MULTIGIL
typedef int (*bocpy_get_data_func)(PyObject*, XIDATA_T*);
#else
typedef int (*bocpy_get_data_func)(PyThreadState*, PyObject*, XIDATA_T*);
#endif

static inline BOCPY_UNUSED XIDATA_T* bocpy_xidata_new(void) {
#if PY_VERSION_HEX >= 0x030E0000
  return _PyXIData_New();
#elif PY_VERSION_HEX >= 0x030D0000
  return _PyCrossInterpreterData_New();
#else
  XIDATA_T* made = (XIDATA_T*)PyMem_RawCalloc(1, sizeof(XIDATA_T));
  if (!made) PyErr_NoMemory();
  return made;
#endif
}

static inline BOCPY_UNUSED void bocpy_xidata_free(XIDATA_T* x) {
#if PY_VERSION_HEX >= 0x030E0000
  _PyXIData_Free(x);
#elif PY_VERSION_HEX >= 0x030D0000
  _PyCrossInterpreterData_Free(x);
#else
  if (x->data && x->free) x->free(x->data);
  Py_CLEAR(x->obj);
  PyMem_RawFree(x);
#endif
}

static inline BOCPY_UNUSED void bocpy_xidata_init(XIDATA_T* x, PyInterpreterState* interp, void* data, PyObject* obj,
                                                  bocpy_new_object_func make) {
#if PY_VERSION_HEX >= 0x030E0000
  _PyXIData_Init(x, interp, data, obj, make);
#elif PY_VERSION_HEX >= 0x030C0000
  _PyCrossInterpreterData_Init(x, interp, data, obj, make);
#else
  Py_XINCREF(obj);
  x->data = data;
  x->obj = obj;
  x->interp = interp ? PyInterpreterState_GetID(interp) : -1;
  x->new_object = make;
  x->free = NULL;
#endif
}

static inline BOCPY_UNUSED int bocpy_xidata_get(PyObject* obj, XIDATA_T* x) {
#if PY_VERSION_HEX >= 0x030E0000
  return _PyObject_GetXIDataNoFallback(PyThreadState_Get(), obj, x);
#else
  return _PyObject_GetCrossInterpreterData(obj, x);
#endif
}

static inline BOCPY_UNUSED PyObject* bocpy_xidata_new_object(XIDATA_T* x) {
#if PY_VERSION_HEX >= 0x030E0000
  return _PyXIData_NewObject(x);
#else
  return _PyCrossInterpreterData_NewObject(x);
#endif
}

static inline BOCPY_UNUSED int bocpy_xidata_register(PyTypeObject* type, bocpy_get_data_func callback) {
#if PY_VERSION_HEX >= 0x030E0000
  _PyXIData_getdata_t both = {callback, NULL};
  return _PyXIData_RegisterClass(PyThreadState_Get(), type, both);
#else
  return _PyCrossInterpreterData_RegisterClass(type, callback);
#endif
}

static inline BOCPY_UNUSED bool xidata_supported(PyObject* obj) {
#if PY_VERSION_HEX >= 0x030E0000
  const _PyXIData_getdata_t both = _PyXIData_Lookup(PyThreadState_Get(), obj);
  const bool found = both.basic || both.fallback;
#else
  const bool found = _PyCrossInterpreterData_Lookup(obj) != NULL;
#endif
  if (!found) PyErr_Clear();
  return found;
}

#define XIDATA_NEW() bocpy_xidata_new()
#define XIDATA_FREE(x) bocpy_xidata_free(x)
#define XIDATA_INIT(x, interp, data, obj, make) bocpy_xidata_init((x), (interp), (data), (obj), (make))
#define XIDATA_SET_FREE(x, fn) ((x)->free = (fn))
#define XIDATA_GETXIDATA(obj, x) bocpy_xidata_get((obj), (x))
#define XIDATA_NEWOBJECT(x) bocpy_xidata_new_object(x)
#define XIDATA_REGISTERCLASS(type, callback) bocpy_xidata_register((type), (callback))

#ifdef BOC_NO_MULTIGIL
#define XIDATA_GETDATA_FUNC(name)                                     \
  static int name##_with_state(PyThreadState*, PyObject*, XIDATA_T*); \
  static int name(PyObject* obj, XIDATA_T* xidata) {                  \
    return name##_with_state(PyThreadState_Get(), obj, xidata);       \
  }                                                                   \
  static int name##_with_state(PyThreadState* tstate BOCPY_UNUSED, PyObject* obj, XIDATA_T* xidata)
#else
#define XIDATA_GETDATA_FUNC(name) static int name(PyThreadState* tstate BOCPY_UNUSED, PyObject* obj, XIDATA_T* xidata)
#endif

/* pythoncapi_compat.h has the same; include it first where both are used. */
#if PY_VERSION_HEX < 0x030C00A6 && !defined(PYTHONCAPI_COMPAT)
static inline BOCPY_UNUSED PyObject* PyErr_GetRaisedException(void) {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  if (!type) return NULL;
  PyErr_NormalizeException(&type, &value, &traceback);
  if (value && traceback) PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return value;
}

static inline BOCPY_UNUSED void PyErr_SetRaisedException(PyObject* exception) {
  if (!exception) {
    PyErr_Restore(NULL, NULL, NULL);
    return;
  }
  PyObject* type = (PyObject*)Py_TYPE(exception);
  Py_INCREF(type);
  PyErr_Restore(type, exception, PyException_GetTraceback(exception));
}
#endif

#ifdef __cplusplus
}
#endif

#endif
