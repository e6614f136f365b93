// The types Matrix and MatrixView.
#pragma once

#include "compat.h"

namespace boc::py {

// By the module's exec slot: adds the types and what unpickles matrices.
int add_matrix_types(PyObject* module);

// _matrix_from_bytes(rows, columns, data)
PyObject* matrix_from_bytes(PyObject*, PyObject* args);

}  // namespace boc::py
