// Cowns in C++: handles, what lies in them, and who may use that. C++17; header only. Behaviors on them: when.hpp.
#ifndef BOCPY_COWN_HPP
#define BOCPY_COWN_HPP

#include "runtime.h"  // before the standard headers, as Python.h asks

#include <exception>
#include <memory>
#include <stdexcept>
#include <typeinfo>
#include <utility>

namespace bocpy {
inline namespace v1 {

// An error of Python's is set, and goes on to whoever looks at the result.
struct python_error : std::exception {
  const char* what() const noexcept override { return "a Python error is set"; }
};

namespace detail {

inline std::atomic<const bocpy_api*> table{nullptr};
inline thread_local PyThreadState* detached_state = nullptr;

inline const bocpy_api& api() noexcept {
  return *table.load(std::memory_order_acquire);
}

inline void* checked(void* found) {
  if (!found) throw python_error();
  return found;
}

// While it lives the thread is detached; attached again on the way out of an exception too.
class without_python {
 public:
  without_python() noexcept { detached_state = PyEval_SaveThread(); }
  ~without_python() { PyEval_RestoreThread(std::exchange(detached_state, nullptr)); }
  without_python(const without_python&) = delete;
  without_python& operator=(const without_python&) = delete;
};

}  // namespace detail

// False with ImportError if the bocpy that is installed does not fit this header.
inline bool import_runtime() {
  const bocpy_api* found = bocpy_import();
  if (!found) return false;
  detail::table.store(found, std::memory_order_release);
#ifdef PYBIND11_VERSION_MAJOR
  pybind11::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const python_error&) {  // the error is set: that is all that is wanted
    }
  });
#endif
  return true;
}

// In a body that runs detached: attached while this lives. Elsewhere it does nothing.
class with_python {
 public:
  with_python() noexcept : state_(std::exchange(detail::detached_state, nullptr)) {
    if (state_) PyEval_RestoreThread(state_);
  }
  ~with_python() {
    if (state_) detail::detached_state = PyEval_SaveThread();
  }
  with_python(const with_python&) = delete;
  with_python& operator=(const with_python&) = delete;

 private:
  PyThreadState* state_;
};

// A handle on a cown; copies are the same cown. T: what lies in it, PyObject* if that is Python's.
template <class T>
class cown {
 public:
  cown() noexcept = default;
  explicit cown(bocpy_cown* stolen) noexcept : cown_(stolen) {}
  cown(const cown& other) noexcept : cown_(other.cown_) {
    if (cown_) detail::api().keep(cown_);
  }
  cown(cown&& other) noexcept : cown_(std::exchange(other.cown_, nullptr)) {}
  cown& operator=(cown other) noexcept {
    std::swap(cown_, other.cown_);
    return *this;
  }
  ~cown() {
    if (!cown_) return;
    with_python here;  // the last handle drops the value
    detail::api().let_go(cown_);
  }

  // Of a Cown of Python's. Whether a T lies in it is seen when somebody holds it. Throws python_error.
  static cown from_python(PyObject* handle) {
    with_python here;
    return cown(static_cast<bocpy_cown*>(detail::checked(detail::api().cown_of(handle))));
  }
  // A Cown, as a new reference. Throws python_error.
  PyObject* to_python() const { return static_cast<PyObject*>(detail::checked(detail::api().handle_of(get()))); }

  explicit operator bool() const noexcept { return cown_ != nullptr; }
  bool operator==(const cown& other) const noexcept { return cown_ == other.cown_; }
  bool operator!=(const cown& other) const noexcept { return cown_ != other.cown_; }
  // The cown itself; throws std::invalid_argument if the handle is empty.
  bocpy_cown* get() const {
    if (!cown_) throw std::invalid_argument("this bocpy::cown is empty: make one with bocpy::make_cown");
    return cown_;
  }

 private:
  bocpy_cown* cown_ = nullptr;
};

using python_cown = cown<PyObject*>;

namespace detail {

template <class T>
void destroy(void* object) {
  delete static_cast<T*>(object);
}

template <class T>
T* native(bocpy_cown* of, bool to_write) {
  return static_cast<T*>(checked(api().native(of, typeid(T).name(), to_write)));
}

}  // namespace detail

template <class T, class... A>
cown<T> make_cown(A&&... arguments) {
  auto made = std::make_unique<T>(std::forward<A>(arguments)...);
  with_python here;
  bocpy_cown* got = detail::api().make_native(made.release(), typeid(T).name(), detail::destroy<T>);
  return cown<T>(static_cast<bocpy_cown*>(detail::checked(got)));
}

// The value, for a thread or behavior that holds the cown (`with cown:` around the call, or a behavior of Python's that
// calls the function). Good for as long as it is held. Throws python_error.
template <class T>
T& held(const cown<T>& of) {
  return *detail::native<T>(of.get(), true);
}
template <class T>
const T& held_to_read(const cown<T>& of) {
  return *detail::native<T>(of.get(), false);
}

// What a body gets for a cown of Python's: good while the body runs.
class value {
 public:
  explicit value(bocpy_cown* of) : handle_(static_cast<PyObject*>(detail::checked(detail::api().handle_of(of)))) {}
  value(value&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  value& operator=(value&&) = delete;
  ~value() { Py_XDECREF(handle_); }

  // A new reference; throws python_error.
  PyObject* get() const { return static_cast<PyObject*>(detail::checked(PyObject_GetAttrString(handle_, "value"))); }
  // The value is given away; throws python_error (if the cown is held by read(), for instance).
  void set(PyObject* given) const {
    if (PyObject_SetAttrString(handle_, "value", given) < 0) throw python_error();
  }

 private:
  PyObject* handle_;
};

}  // namespace v1
}  // namespace bocpy

#ifdef PYBIND11_VERSION_MAJOR
// Functions bound with pybind11 take and return cowns.
template <class T>
struct pybind11::detail::type_caster<bocpy::cown<T>> {
  PYBIND11_TYPE_CASTER(bocpy::cown<T>, const_name("bocpy.Cown"));
  bool load(handle source, bool) {
    bocpy_cown* found = bocpy::detail::api().cown_of(source.ptr());
    if (!found) PyErr_Clear();
    value = bocpy::cown<T>(found);
    return found != nullptr;
  }
  static handle cast(const bocpy::cown<T>& source, return_value_policy, handle) { return source.to_python(); }
};
#endif

#endif
