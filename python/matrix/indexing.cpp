// m[...] and m[...] = ...: rows, numbers, slices, lists of rows or columns. Everything is checked before anything is
// written.
#include <algorithm>
#include <new>

#include "gather.h"
#include "methods.h"
#include "operand.h"
#include "selection.h"

namespace boc::py {
namespace {

// The two parts of a key, borrowed; `columns` is null for m[rows]. False with KeyError.
bool split_key(PyObject* key, PyObject** rows, PyObject** columns) {
  *rows = key;
  *columns = nullptr;
  if (!PyTuple_Check(key)) return true;
  const Py_ssize_t n = PyTuple_GET_SIZE(key);
  if (n != 1 && n != 2) {
    PyErr_SetString(PyExc_KeyError, "Index must be one dimension (row) or two dimensions (row, column)");
    return false;
  }
  *rows = PyTuple_GET_ITEM(key, 0);
  if (n == 2) *columns = PyTuple_GET_ITEM(key, 1);
  return true;
}

bool is_everything(PyObject* key) noexcept {
  if (!PySlice_Check(key)) return false;
  auto* slice = reinterpret_cast<PySliceObject*>(key);
  return slice->start == Py_None && slice->stop == Py_None && slice->step == Py_None;
}

// m[[rows]], m[[rows], :] or m[:, [columns]]: 1 and the list and its axis; 0 for other keys; -1 with IndexError.
int list_of_key(PyObject* rows, PyObject* columns, PyObject** list, Axis* axis) {
  const bool by_rows = PyList_Check(rows), by_columns = columns && PyList_Check(columns);
  if (!by_rows && !by_columns) return 0;
  if (by_rows && (!columns || is_everything(columns))) {
    *list = rows;
    *axis = Axis::down;
    return 1;
  }
  if (by_columns && is_everything(rows)) {
    *list = columns;
    *axis = Axis::across;
    return 1;
  }
  PyErr_SetString(PyExc_IndexError,
                  "fancy indexing supports only m[[rows]], m[[rows], :], or m[:, [columns]]; use take() for other "
                  "selections");
  return -1;
}

struct Part {
  Block block;
  bool one;  // a single number was asked for
};

bool part_of(const Block& b, PyObject* rows, PyObject* columns, Part* part) {
  Range r, c{0, 1, b.columns, false};
  if (!take_range(rows, b.rows, "row", &r) || (columns && !take_range(columns, b.columns, "column", &c))) return false;
  part->block = {&b(r.start, c.start), r.count, c.count, r.step * b.row_step, c.step * b.column_step};
  part->one = r.one && (columns ? c.one : b.columns == 1);
  return true;
}

bool fill_part(const Block& part, const Block& value) noexcept {
  Block filled;
  if (!broadcast(value, part.rows, part.columns, &filled)) return false;
  for (Py_ssize_t i = 0; i < part.rows; ++i) {
    for (Py_ssize_t j = 0; j < part.columns; ++j) part(i, j) = filled(i, j);
  }
  return true;
}

// A list is a row; for a part that is one column it is that column.
Block laid_along(const Block& part, PyObject* value, const Block& b) noexcept {
  const bool list = PyList_Check(value) || PyTuple_Check(value);
  if (!list || part.columns != 1 || part.rows == 1 || b.columns != part.rows) return b;
  return {b.at, b.columns, 1, 1, 1};
}

int assign_part(PyObject* self, const Block& part, PyObject* value) {
  Operand operand;
  Doubles* doubles = as_matrix(self)->doubles;
  if (!operand.parse(value, "value") || !operand.steady(doubles)) return -1;
  Block from = laid_along(part, value, operand.block());
  // m[::-1] = m: read first.
  Ref copied(value == self ? new_matrix_from(from) : nullptr);
  if (value == self) {
    if (!copied) return -1;
    from = block_of(copied.get());
  }
  if (fill_part(part, from)) return 0;
  PyErr_Format(PyExc_ValueError, "cannot assign a %zdx%zd value to a selection of shape %zdx%zd", from.rows,
               from.columns, part.rows, part.columns);
  return -1;
}

}  // namespace

Py_ssize_t matrix_length(PyObject* self) {
  return block_of(self).rows;
}

PyObject* matrix_item(PyObject* self, Py_ssize_t i) {
  const Block b = block_of(self);
  Py_ssize_t row;
  // The interpreter has added the length to a negative index.
  if (!fit_index(i < 0 ? PY_SSIZE_T_MIN / 2 : i, b.rows, "row", &row)) return nullptr;
  if (b.columns == 1) return PyFloat_FromDouble(b.at[row]);
  return new_matrix_from({b.row(row), 1, b.columns, b.columns, 1});
}

PyObject* matrix_subscript(PyObject* self, PyObject* key) {
  PyObject *rows, *columns, *list;
  Axis axis;
  Part part;
  if (!split_key(key, &rows, &columns)) return nullptr;
  const int by_list = list_of_key(rows, columns, &list, &axis);
  if (by_list < 0) return nullptr;
  if (by_list) return gather_lines(self, list, axis, nullptr);
  if (!part_of(block_of(self), rows, columns, &part)) return nullptr;
  return part.one ? PyFloat_FromDouble(*part.block.at) : new_matrix_from(part.block);
}

int matrix_assign(PyObject* self, PyObject* key, PyObject* value) {
  PyObject *rows, *columns, *list;
  Axis axis;
  Part part;
  if (!value) {
    PyErr_SetString(PyExc_TypeError, "numbers of a matrix cannot be deleted");
    return -1;
  }
  if (!split_key(key, &rows, &columns)) return -1;
  const int by_list = list_of_key(rows, columns, &list, &axis);
  if (by_list < 0) return -1;
  if (by_list) return scatter_lines(self, list, value, axis, false);
  if (!part_of(block_of(self), rows, columns, &part)) return -1;
  return assign_part(self, part.block, value);
}

}  // namespace boc::py
