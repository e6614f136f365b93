// Views: what makes them and reaches through them.
#pragma once

#include "operand.h"

namespace boc::py {

// A view of row or column `line` (checked), the part of it that `part` (an int or slice; null or None: all) selects. Null
// with TypeError or IndexError.
PyObject* new_view(PyObject* matrix, bool is_row, Py_ssize_t line, PyObject* part, bool read_only);

// A number of the view; `i` is checked.
inline double& view_at(const ViewObject* v, Py_ssize_t i) noexcept {
  return as_matrix(v->matrix)->doubles->data()[v->offset + i * v->step];
}

PyTypeObject* make_view_type(PyObject* module);
PyTypeObject* make_views_type(PyObject* module);     // of m.view
PyObject* matrix_get_view(PyObject* matrix, void*);  // m.view

// Number `i` of a matrix (row by row) or view for .x .y .z .w; the setter's value may be null. -1 with an error.
PyObject* get_component(PyObject* self, void* i);
int set_component(PyObject* self, PyObject* value, void* i);

}  // namespace boc::py
