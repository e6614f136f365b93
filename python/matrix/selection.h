// Which rows or columns: indices from Python, checked before anything is read or written.
#pragma once

#include <vector>

#include "arguments.h"

namespace boc::py {

// From a list, tuple or other sequence of ints, each of them from -limit to limit - 1; `what` ("row", "column") names
// them. False with TypeError or IndexError, also if there are none. Throws std::bad_alloc.
bool take_indices(PyObject* o, Py_ssize_t limit, const char* what, std::vector<Py_ssize_t>* indices);

// One index; false with IndexError.
bool fit_index(Py_ssize_t i, Py_ssize_t limit, const char* what, Py_ssize_t* fitted);

// An int or slice as start, step and count. `*one`: it was an int. False with TypeError (neither) or IndexError (outside,
// or nothing selected).
struct Range {
  Py_ssize_t start, step, count;
  bool one;
};
bool take_range(PyObject* key, Py_ssize_t limit, const char* what, Range* range);

}  // namespace boc::py
