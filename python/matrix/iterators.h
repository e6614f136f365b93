// Iterating over matrices and views.
#pragma once

#include "compat.h"

namespace boc::py {

enum class Each { rows, values, row_views, column_views, view_values };

// Over `source`, a matrix or (view_values) a view, which it keeps alive. read_only: the views.
PyObject* new_iterator(PyObject* source, Each each, bool read_only = false);
PyTypeObject* make_iterator_type(PyObject* module);

}  // namespace boc::py
