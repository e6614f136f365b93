// MatrixView.
#include "arguments.h"
#include "arithmetic.h"
#include "heap_type.h"
#include "iterators.h"
#include "methods.h"
#include "selection.h"
#include "view.h"

namespace boc::py {
namespace {

PyObject* make_view(PyObject* matrix, bool is_row, Py_ssize_t offset, Py_ssize_t step, Py_ssize_t count,
                    bool read_only) {
  auto* made = PyObject_New(ViewObject, home().matrix_view_type);
  if (!made) return nullptr;
  made->matrix = Py_NewRef(matrix);
  made->offset = offset;
  made->step = step;
  made->count = count;
  made->is_row = is_row;
  made->read_only = read_only;
  return reinterpret_cast<PyObject*>(made);
}

void view_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_DECREF(as_view(self)->matrix);
  PyObject_Free(self);
  Py_DECREF(type);
}

Py_ssize_t view_length(PyObject* self) {
  return as_view(self)->count;
}

PyObject* view_item(PyObject* self, Py_ssize_t i) {
  if (i < 0 || i >= as_view(self)->count) {
    PyErr_SetString(PyExc_IndexError, "view index out of range");
    return nullptr;
  }
  return PyFloat_FromDouble(view_at(as_view(self), i));
}

bool view_range(PyObject* self, PyObject* key, Range* range) {
  if (!PySlice_Check(key) && !PyIndex_Check(key)) {
    PyErr_Format(PyExc_TypeError, "MatrixView is 1-D; index with a single int or slice, not %.100s",
                 Py_TYPE(key)->tp_name);
    return false;
  }
  return take_range(key, as_view(self)->count, "view", range);
}

PyObject* view_subscript(PyObject* self, PyObject* key) {
  ViewObject* v = as_view(self);
  Range r;
  if (!view_range(self, key, &r)) return nullptr;
  if (r.one) return PyFloat_FromDouble(view_at(v, r.start));
  return make_view(v->matrix, v->is_row, v->offset + r.start * v->step, v->step * r.step, r.count, v->read_only);
}

int need_writable(PyObject* self, PyObject* value) {
  if (!value) {
    PyErr_SetString(PyExc_TypeError, "numbers of a view cannot be deleted");
    return -1;
  }
  if (!as_view(self)->read_only) return 0;
  PyErr_SetString(PyExc_TypeError, "this MatrixView is read-only");
  return -1;
}

int view_assign(PyObject* self, PyObject* key, PyObject* value) {
  ViewObject* v = as_view(self);
  Range r;
  Operand operand;
  if (need_writable(self, value) < 0 || !view_range(self, key, &r) || !operand.parse(value, "value") ||
      !operand.steady(as_matrix(v->matrix)->doubles)) {
    return -1;
  }
  Block from = operand.block();
  const bool vector = from.rows == 1 || from.columns == 1;
  if (!operand.number() && (!vector || from.size() != r.count)) {
    PyErr_Format(PyExc_ValueError, "cannot assign %zdx%zd values to a view of length %zd", from.rows, from.columns,
                 r.count);
    return -1;
  }
  // A part of the view's own matrix as a value is a view too, and steady; the matrix itself is one if it is a vector.
  Ref copied(value == v->matrix ? new_matrix_from(from) : nullptr);
  if (value == v->matrix) {
    if (!copied) return -1;
    from = block_of(copied.get());
  }
  const Py_ssize_t step = operand.number() ? 0 : from.rows == 1 ? from.column_step : from.row_step;
  for (Py_ssize_t i = 0; i < r.count; ++i) view_at(v, r.start + i * r.step) = from.at[i * step];
  return 0;
}

PyObject* view_iter(PyObject* self) {
  return new_iterator(self, Each::view_values);
}
PyObject* view_values(PyObject* self, PyObject*) {
  return view_iter(self);
}
PyObject* view_copy(PyObject* self, PyObject*) {
  return new_matrix_from(block_of_view(as_view(self)));
}

PyObject* view_refuse_reduce(PyObject*, PyObject*) {
  PyErr_SetString(PyExc_TypeError,
                  "a MatrixView cannot be pickled, copied or sent to another interpreter: it belongs to its matrix. "
                  "Send the matrix, or view.copy()");
  return nullptr;
}

PyObject* get_rows(PyObject* self, void*) {
  return PyLong_FromSsize_t(as_view(self)->is_row ? 1 : as_view(self)->count);
}
PyObject* get_columns(PyObject* self, void*) {
  return PyLong_FromSsize_t(as_view(self)->is_row ? as_view(self)->count : 1);
}
PyObject* get_size(PyObject* self, void*) {
  return PyLong_FromSsize_t(as_view(self)->count);
}
PyObject* get_shape(PyObject* self, void*) {
  const ViewObject* v = as_view(self);
  return Py_BuildValue("(nn)", v->is_row ? Py_ssize_t{1} : v->count, v->is_row ? v->count : Py_ssize_t{1});
}
PyObject* get_is_row(PyObject* self, void*) {
  return PyBool_FromLong(as_view(self)->is_row);
}
PyObject* get_read_only(PyObject* self, void*) {
  return PyBool_FromLong(as_view(self)->read_only);
}
PyObject* get_transposed(PyObject* self, void*) {
  const ViewObject* v = as_view(self);
  return make_view(v->matrix, !v->is_row, v->offset, v->step, v->count, v->read_only);
}

void* number(int i) noexcept {
  return reinterpret_cast<void*>(static_cast<intptr_t>(i));
}

PyGetSetDef view_getset[] = {
    {"rows", get_rows, nullptr, "Number of rows: 1 for a row.", nullptr},
    {"columns", get_columns, nullptr, "Number of columns: 1 for a column.", nullptr},
    {"size", get_size, nullptr, "How many numbers.", nullptr},
    {"shape", get_shape, nullptr, "(rows, columns).", nullptr},
    {"is_row", get_is_row, nullptr, "Whether it is a row, not a column.", nullptr},
    {"read_only", get_read_only, nullptr, "Whether its numbers cannot be set through it.", nullptr},
    {"T", get_transposed, nullptr, "The same numbers as a column or row.", nullptr},
    {"x", get_component, set_component, "Number 0.", number(0)},
    {"y", get_component, set_component, "Number 1.", number(1)},
    {"z", get_component, set_component, "Number 2.", number(2)},
    {"w", get_component, set_component, "Number 3.", number(3)},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef view_methods[] = {
    {"values", view_values, METH_NOARGS, "values($self, /)\n--\n\nAn iterator over the numbers."},
    {"copy", view_copy, METH_NOARGS, "copy($self, /)\n--\n\nA matrix with these numbers."},
    {"__reduce__", view_refuse_reduce, METH_NOARGS, nullptr},
    {"__reduce_ex__", view_refuse_reduce, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot view_slots[] = {
    {Py_tp_doc, const_cast<char*>("A row or column of a Matrix, or a part of one, without a copy.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(view_dealloc)},
    {Py_tp_repr, reinterpret_cast<void*>(view_repr)},
    {Py_tp_iter, reinterpret_cast<void*>(view_iter)},
    {Py_tp_methods, view_methods},
    {Py_tp_getset, view_getset},
    {Py_sq_length, reinterpret_cast<void*>(view_length)},
    {Py_sq_item, reinterpret_cast<void*>(view_item)},
    {Py_mp_length, reinterpret_cast<void*>(view_length)},
    {Py_mp_subscript, reinterpret_cast<void*>(view_subscript)},
    {Py_mp_ass_subscript, reinterpret_cast<void*>(view_assign)},
    {Py_nb_add, reinterpret_cast<void*>(number_add)},
    {Py_nb_subtract, reinterpret_cast<void*>(number_subtract)},
    {Py_nb_multiply, reinterpret_cast<void*>(number_multiply)},
    {Py_nb_true_divide, reinterpret_cast<void*>(number_divide)},
    {Py_nb_matrix_multiply, reinterpret_cast<void*>(matrix_multiply)},
    {Py_nb_negative, reinterpret_cast<void*>(number_negative)},
    {Py_nb_absolute, reinterpret_cast<void*>(number_absolute)},
    {0, nullptr}};
PyType_Spec view_spec = {"bocpy.MatrixView", sizeof(ViewObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, view_slots};

}  // namespace

PyObject* new_view(PyObject* matrix, bool is_row, Py_ssize_t line, PyObject* part, bool read_only) {
  const Block b = block_of(matrix);
  const Py_ssize_t limit = is_row ? b.columns : b.rows;
  Range r{0, 1, limit, false};
  if (part && part != Py_None && !take_range(part, limit, is_row ? "column" : "row", &r)) return nullptr;
  // Another thread may have transposed the matrix since the line was checked.
  if (line >= (is_row ? b.rows : b.columns)) {
    PyErr_SetString(PyExc_IndexError, "the shape of the matrix changed while a view of it was made");
    return nullptr;
  }
  const Py_ssize_t step = is_row ? 1 : b.columns;
  const Py_ssize_t offset = is_row ? line * b.columns : line;
  return make_view(matrix, is_row, offset + r.start * step, r.step * step, r.count, read_only);
}

PyObject* get_component(PyObject* self, void* i) {
  const auto at = static_cast<Py_ssize_t>(reinterpret_cast<intptr_t>(i));
  const Py_ssize_t size = is_matrix(self) ? block_of(self).size() : as_view(self)->count;
  if (at >= size) {
    PyErr_Format(PyExc_IndexError, "there is no '%c': only %zd numbers", "xyzw"[at], size);
    return nullptr;
  }
  return PyFloat_FromDouble(is_matrix(self) ? as_matrix(self)->doubles->data()[at] : view_at(as_view(self), at));
}

int set_component(PyObject* self, PyObject* value, void* i) {
  const auto at = static_cast<Py_ssize_t>(reinterpret_cast<intptr_t>(i));
  const bool matrix = is_matrix(self);
  double x;
  if (!value) {
    PyErr_SetString(PyExc_TypeError, "numbers of a matrix cannot be deleted");
    return -1;
  }
  if ((!matrix && need_writable(self, value) < 0) || !parse_number(value, "value", &x)) return -1;
  const Py_ssize_t size = matrix ? block_of(self).size() : as_view(self)->count;
  if (at >= size) {
    PyErr_Format(PyExc_IndexError, "there is no '%c': only %zd numbers", "xyzw"[at], size);
    return -1;
  }
  (matrix ? as_matrix(self)->doubles->data()[at] : view_at(as_view(self), at)) = x;
  return 0;
}

PyTypeObject* make_view_type(PyObject* module) {
  return make_type(module, &view_spec, nullptr);
}

}  // namespace boc::py
