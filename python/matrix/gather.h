// Whole rows or columns by lists of their indices.
#pragma once

#include "arguments.h"

namespace boc::py {

// The rows (axis down) or columns of the matrix, in `out` if it is not null. A new reference; null with an error.
PyObject* gather_lines(PyObject* self, PyObject* indices, Axis axis, PyObject* out);
// The reverse: `value` is a number or a matrix of the selection's shape. accumulate: added, once for each time that an
// index occurs. -1 with an error; then nothing is written.
int scatter_lines(PyObject* self, PyObject* indices, PyObject* value, Axis axis, bool accumulate);

}  // namespace boc::py
