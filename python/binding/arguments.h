// Arguments by position or name for functions of the module that are called often.
#pragma once

#include "compat.h"

namespace boc::py {

// Fills bound[0..N) with borrowed references, null where nothing was given; the first `required` must be. `signature`
// is how errors call the function. -1 with TypeError.
template <int N>
int bind_arguments(const char* signature, const char* const (&names)[N], int required, PyObject* const* args,
                   Py_ssize_t n, PyObject* kwnames, PyObject* (&bound)[N]) {
  if (n > N) {
    PyErr_Format(PyExc_TypeError, "%s takes at most %d arguments, %zd given", signature, N, n);
    return -1;
  }
  for (int i = 0; i < N; ++i) bound[i] = i < n ? args[i] : nullptr;
  for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); ++i) {
    int at = 0;
    while (at < N && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, i), names[at]) != 0) ++at;
    if (at == N || bound[at]) {
      PyErr_Format(PyExc_TypeError, "%s: unexpected or repeated argument %R", signature, PyTuple_GET_ITEM(kwnames, i));
      return -1;
    }
    bound[at] = args[n + i];
  }
  for (int i = 0; i < required; ++i) {
    if (bound[i]) continue;
    PyErr_Format(PyExc_TypeError, "%s: missing argument '%s'", signature, names[i]);
    return -1;
  }
  return 0;
}

// How a function with such arguments stands in a method table.
using FastFunction = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);
inline PyCFunction as_method(FastFunction function) noexcept {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function));
}

}  // namespace boc::py
