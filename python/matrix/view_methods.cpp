// The ways to make views of a matrix: row_view() and its kin, and m.view[...].
#include "arguments.h"
#include "heap_type.h"
#include "iterators.h"
#include "methods.h"
#include "selection.h"
#include "view.h"

namespace boc::py {
namespace {

PyObject* line_view(PyObject* self, bool is_row, PyObject* line, PyObject* part, bool read_only) {
  const Block b = block_of(self);
  Py_ssize_t index, fitted;
  if (!parse_index(line, &index) ||
      !fit_index(index, is_row ? b.rows : b.columns, is_row ? "row" : "column", &fitted)) {
    return nullptr;
  }
  return new_view(self, is_row, fitted, part, read_only);
}

template <bool kRow>
PyObject* one_view(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  const Signature signature{
      kRow ? "row_view" : "column_view", 0, 2, 1, 3, {kRow ? "row" : "column", kRow ? "columns" : "rows", "read_only"}};
  PyObject* given[3];
  if (!take_arguments(signature, args, n, kw, given)) return nullptr;
  const int read_only = parse_flag(given[2], false);
  return read_only < 0 ? nullptr : line_view(self, kRow, given[0], given[1], read_only);
}

template <bool kRows>
PyObject* all_views(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  const Signature signature{kRows ? "row_views" : "column_views", 0, 0, 0, 1, {"read_only"}};
  PyObject* given[1];
  if (!take_arguments(signature, args, n, kw, given)) return nullptr;
  const int read_only = parse_flag(given[0], false);
  return read_only < 0 ? nullptr : new_iterator(self, kRows ? Each::row_views : Each::column_views, read_only);
}

// m.view
struct ViewsObject {
  PyObject_HEAD PyObject* matrix;
};

PyObject* matrix_of(PyObject* self) noexcept {
  return reinterpret_cast<ViewsObject*>(self)->matrix;
}

void views_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_DECREF(matrix_of(self));
  PyObject_Free(self);
  Py_DECREF(type);
}

PyObject* refuse_key() {
  PyErr_SetString(PyExc_TypeError, "a view must be a single row or column; use m[...] to copy a submatrix");
  return nullptr;
}

PyObject* views_subscript(PyObject* self, PyObject* key) {
  PyObject* matrix = matrix_of(self);
  if (PyIndex_Check(key)) return line_view(matrix, true, key, nullptr, false);
  if (!PyTuple_Check(key) || PyTuple_GET_SIZE(key) != 2) return refuse_key();
  PyObject *rows = PyTuple_GET_ITEM(key, 0), *columns = PyTuple_GET_ITEM(key, 1);
  if (PyIndex_Check(rows)) return line_view(matrix, true, rows, columns, false);
  if (PyIndex_Check(columns)) return line_view(matrix, false, columns, rows, false);
  return refuse_key();
}

PyType_Slot views_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(views_dealloc)},
                             {Py_mp_subscript, reinterpret_cast<void*>(views_subscript)},
                             {0, nullptr}};
PyType_Spec views_spec = {"bocpy.MatrixViewIndexer", sizeof(ViewsObject), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
                          views_slots};

}  // namespace

PyObject* matrix_get_view(PyObject* matrix, void*) {
  auto* made = PyObject_New(ViewsObject, home().matrix_views_type);
  if (made) made->matrix = Py_NewRef(matrix);
  return reinterpret_cast<PyObject*>(made);
}

PyTypeObject* make_views_type(PyObject* module) {
  return make_type(module, &views_spec, nullptr);
}

PyMethodDef view_making_methods[] = {
    {"row_view", BOC_FAST(one_view<true>),
     "row_view($self, /, row, columns=None, *, read_only=False)\n--\n\nA view of a row, or of the columns of it that "
     "an "
     "int or slice selects."},
    {"column_view", BOC_FAST(one_view<false>),
     "column_view($self, /, column, rows=None, *, read_only=False)\n--\n\nA view of a column, or of a part of it."},
    {"row_views", BOC_FAST(all_views<true>),
     "row_views($self, /, *, read_only=False)\n--\n\nAn iterator over views of all rows."},
    {"column_views", BOC_FAST(all_views<false>),
     "column_views($self, /, *, read_only=False)\n--\n\nAn iterator over views of all columns."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
