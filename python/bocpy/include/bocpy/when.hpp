// Behaviors in C++ on the scheduler that runs Python's behaviors. C++17; header only. What it stands on is the table of
// functions in runtime.h.
//
//   if (!bocpy::import_runtime()) return -1;        // once, when the module is imported; ImportError
//   auto sum = bocpy::make_cown<double>(0.0);
//   bocpy::when(sum, bocpy::read(other)) << [](double& s, const double& o) { s += o; };
//
// A body gets T& for a cown<T>, const T& for read(cown<T>), std::vector<T*> or <const T*> for a vector of such; for a
// cown of Python's (cown<PyObject*>) a bocpy::value. What it returns (void, PyObject* as a new reference, or anything
// that can be moved) becomes the value of the cown that `<<` gives; for Python too where it is void, a PyObject*, a bool, a
// number or a std::string. What it throws is raised where the result is looked at.
//
// Bodies without a cown of Python's and without a PyObject* as their result run detached from the interpreter, so that
// nobody waits for them; `bocpy::with_python here;` attaches for the length of a block. All else here is called by
// threads that are attached. A body belongs to no interpreter: it must not capture Python objects.
#ifndef BOCPY_WHEN_HPP
#define BOCPY_WHEN_HPP

#include "cown.hpp"  // before the standard headers, as Python.h asks

#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace bocpy {
inline namespace v1 {

template <class Arg>
struct read_request {
  Arg argument;
};
template <class T>
read_request<cown<T>> read(cown<T> argument) {
  return {std::move(argument)};
}
template <class T>
read_request<std::vector<cown<T>>> read(std::vector<cown<T>> arguments) {
  return {std::move(arguments)};
}

namespace detail {

using requests = std::vector<bocpy_request>;

// How each kind of argument becomes requests, and what the body gets for it. A behavior keeps no handles: while it is
// scheduled its cowns are there.
template <class Arg>
struct traits;

template <class T>
struct traits<cown<T>> {
  static constexpr bool python = false;
  using kept = bocpy_cown*;
  static kept keep(const cown<T>& c) { return c.get(); }
  static void add(kept c, requests& all, uint32_t flags) { all.push_back({c, flags}); }
  static T* open(kept c) { return native<T>(c, true); }
  static const T* open_read(kept c) { return native<T>(c, false); }
  template <class P>
  static P& given(P* opened) {
    return *opened;
  }
};

template <>
struct traits<python_cown> {
  static constexpr bool python = true;
  using kept = bocpy_cown*;
  static kept keep(const python_cown& c) { return c.get(); }
  static void add(kept c, requests& all, uint32_t flags) { all.push_back({c, flags}); }
  static value open(kept c) { return value(c); }
  static value open_read(kept c) { return value(c); }
  static value& given(value& opened) { return opened; }
};

template <class T>
struct traits<std::vector<cown<T>>> {
  static constexpr bool python = traits<cown<T>>::python;
  using kept = std::vector<bocpy_cown*>;
  static kept keep(const std::vector<cown<T>>& cowns) {
    kept all;
    for (const cown<T>& c : cowns) all.push_back(c.get());
    return all;
  }
  static void add(const kept& cowns, requests& all, uint32_t flags) {
    for (bocpy_cown* c : cowns) all.push_back({c, flags});
  }
  static auto open(const kept& cowns) {
    std::vector<decltype(traits<cown<T>>::open(nullptr))> opened;
    for (bocpy_cown* c : cowns) opened.push_back(traits<cown<T>>::open(c));
    return opened;
  }
  static auto open_read(const kept& cowns) {
    std::vector<decltype(traits<cown<T>>::open_read(nullptr))> opened;
    for (bocpy_cown* c : cowns) opened.push_back(traits<cown<T>>::open_read(c));
    return opened;
  }
  template <class V>
  static V& given(V& opened) {
    return opened;
  }
};

template <class Arg>
struct traits<read_request<Arg>> {
  using inner = traits<Arg>;
  static constexpr bool python = inner::python;
  using kept = typename inner::kept;
  static kept keep(const read_request<Arg>& r) { return inner::keep(r.argument); }
  static void add(const kept& k, requests& all, uint32_t) { inner::add(k, all, BOCPY_READ); }
  static auto open(const kept& k) { return inner::open_read(k); }
  template <class V>
  static decltype(auto) given(V&& opened) {
    return inner::given(std::forward<V>(opened));
  }
};

template <class Arg>
using opened_t = decltype(traits<Arg>::open(std::declval<const typename traits<Arg>::kept&>()));
template <class Arg>
using given_t = decltype(traits<Arg>::given(std::declval<opened_t<Arg>&>()));

template <class R>
PyObject* python_value(const R& result) {
  if constexpr (std::is_same_v<R, bool>) {
    return PyBool_FromLong(result);
  } else if constexpr (std::is_integral_v<R> && std::is_signed_v<R>) {
    return PyLong_FromLongLong(result);
  } else if constexpr (std::is_integral_v<R>) {
    return PyLong_FromUnsignedLongLong(result);
  } else if constexpr (std::is_floating_point_v<R>) {
    return PyFloat_FromDouble(static_cast<double>(result));
  } else if constexpr (std::is_same_v<R, std::string>) {
    return PyUnicode_FromStringAndSize(result.data(), static_cast<Py_ssize_t>(result.size()));
  } else {
    Py_RETURN_NONE;
  }
}

// In a catch block, attached: the exception becomes Python's.
inline PyObject* raise_current() noexcept {
  try {
    throw;
  } catch (const python_error&) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "bocpy::python_error was thrown without a Python error");
#ifdef PYBIND11_VERSION_MAJOR
  } catch (pybind11::error_already_set& error) {
    error.restore();
  } catch (const pybind11::builtin_exception& error) {
    error.set_error();
#endif
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::invalid_argument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const std::out_of_range& error) {
    PyErr_SetString(PyExc_IndexError, error.what());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "a behavior in C++ threw something that is no std::exception");
  }
  return nullptr;
}

template <class Body, class... Args>
struct behavior {
  using result_type = std::invoke_result_t<Body&, given_t<Args>...>;
  static constexpr bool attached = std::is_same_v<result_type, PyObject*> || (traits<Args>::python || ...);
  static_assert(!std::is_reference_v<result_type>, "a body returns a value, which becomes that of the result");

  Body body;
  std::tuple<typename traits<Args>::kept...> cowns;

  static PyObject* run(void* self) {
    try {
      return static_cast<behavior*>(self)->call(std::index_sequence_for<Args...>());
    } catch (...) {
      return raise_current();
    }
  }
  static void drop(void* self) { delete static_cast<behavior*>(self); }

 private:
  template <size_t... I>
  PyObject* call([[maybe_unused]] std::index_sequence<I...> indices) {
    [[maybe_unused]] std::tuple<opened_t<Args>...> opened{traits<Args>::open(std::get<I>(cowns))...};
    auto invoke = [&]() -> result_type { return body(traits<Args>::given(std::get<I>(opened))...); };
    if constexpr (std::is_void_v<result_type>) {
      std::optional<without_python> detached;
      if constexpr (!attached) detached.emplace();
      invoke();
      detached.reset();
      Py_RETURN_NONE;
    } else if constexpr (std::is_same_v<result_type, PyObject*>) {
      return invoke();
    } else {
      std::optional<without_python> detached;
      if constexpr (!attached) detached.emplace();
      auto made = std::make_unique<result_type>(invoke());
      detached.reset();
      PyObject* shown = static_cast<PyObject*>(checked(python_value(*made)));
      const char* type = typeid(result_type).name();
      if (api().set_native(api().result(), made.release(), type, destroy<result_type>) == 0) return shown;
      Py_DECREF(shown);
      return nullptr;
    }
  }
};

template <class... Args>
class when_holder {
 public:
  explicit when_holder(const Args&... arguments) : cowns_(traits<Args>::keep(arguments)...), handles_(arguments...) {
    std::apply([this](const auto&... kept) { (traits<Args>::add(kept, requests_, 0), ...); }, cowns_);
  }

  // Schedules; throws python_error if that is not possible any more (the interpreter ends).
  template <class Body>
  auto operator<<(Body body) && {
    using made_type = behavior<Body, Args...>;
    auto made = std::make_unique<made_type>(made_type{std::move(body), std::move(cowns_)});
    with_python here;
    const bocpy_body given{made_type::run, made_type::drop, made.release()};
    bocpy_cown* result = api().schedule(requests_.data(), requests_.size(), &given);
    return cown<typename made_type::result_type>(static_cast<bocpy_cown*>(checked(result)));
  }

 private:
  std::tuple<typename traits<Args>::kept...> cowns_;
  std::tuple<Args...> handles_;  // until it is scheduled
  requests requests_;
};

}  // namespace detail

// when(cowns...) << body: cowns, read(cown), vectors of cowns, read(vector). Throws std::invalid_argument for an empty
// handle.
template <class... Args>
detail::when_holder<Args...> when(const Args&... arguments) {
  return detail::when_holder<Args...>(arguments...);
}

}  // namespace v1
}  // namespace bocpy

#endif
