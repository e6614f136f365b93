// Operators and named operations on two operands.
#pragma once

#include "combine.h"

namespace boc::py {

// a op b, at least one of which is a matrix or a view; NotImplemented for others.
PyObject* binary_operator(Binary op, PyObject* a, PyObject* b);
PyObject* matrix_multiply(PyObject* a, PyObject* b);

// The slots of both types.
PyObject* number_add(PyObject* a, PyObject* b);
PyObject* number_subtract(PyObject* a, PyObject* b);
PyObject* number_multiply(PyObject* a, PyObject* b);
PyObject* number_divide(PyObject* a, PyObject* b);
PyObject* number_add_in_place(PyObject* a, PyObject* b);
PyObject* number_subtract_in_place(PyObject* a, PyObject* b);
PyObject* number_multiply_in_place(PyObject* a, PyObject* b);
PyObject* number_divide_in_place(PyObject* a, PyObject* b);

}  // namespace boc::py
