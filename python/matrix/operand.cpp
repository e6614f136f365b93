#include "operand.h"

#include <new>

#include "arguments.h"

namespace boc::py {

double* Operand::room(Py_ssize_t n) {
  if (n <= kFew) return few_;
  many_.reset(new (std::nothrow) double[static_cast<size_t>(n)]);
  if (!many_) PyErr_NoMemory();
  return many_.get();
}

int Operand::take_sequence(PyObject* o) {
  // A tuple of its own: an item's __float__ may change the list.
  Ref items(PySequence_Tuple(o));
  if (!items) return -1;
  const Py_ssize_t n = PyTuple_GET_SIZE(items.get());
  if (n == 0) {
    PyErr_SetString(PyExc_ValueError, "cannot coerce an empty list/tuple to a matrix");
    return -1;
  }
  double* to = room(n);
  if (!to) return -1;
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (!parse_number(PyTuple_GET_ITEM(items.get(), i), "Expected a list/tuple of numbers: each item", to + i)) {
      return -1;
    }
  }
  block_ = {to, 1, n, n, 1};
  return 1;
}

int Operand::take_matrix(PyObject* o) {
  if (is_matrix(o)) {
    block_ = block_of(o);
    return 1;
  }
  if (is_view(o)) {
    block_ = block_of_view(as_view(o));
    viewed_ = as_matrix(as_view(o)->matrix)->doubles;
    return 1;
  }
  return PyList_Check(o) || PyTuple_Check(o) ? take_sequence(o) : 0;
}

int Operand::take(PyObject* o) {
  if (int taken = take_matrix(o)) return taken;
  const int taken = as_number(o, few_);
  if (taken > 0) {
    block_ = {few_, 1, 1, 1, 1};
    number_ = true;
  }
  return taken;
}

bool Operand::parse(PyObject* o, const char* what) {
  const int taken = take(o);
  if (!taken) {
    PyErr_Format(PyExc_TypeError, "%s must be a Matrix, a MatrixView, a list/tuple of numbers or a number, not %.100s",
                 what, Py_TYPE(o)->tp_name);
  }
  return taken > 0;
}

bool Operand::parse_matrix(PyObject* o, const char* what) {
  const int taken = take_matrix(o);
  if (!taken) {
    PyErr_Format(PyExc_TypeError, "%s must be a Matrix, a MatrixView or a list/tuple of numbers, not %.100s", what,
                 Py_TYPE(o)->tp_name);
  }
  return taken > 0;
}

bool Operand::steady(const Doubles* target) {
  if (!viewed_ || viewed_ != target) return true;
  double* to = room(block_.size());
  if (!to) return false;
  copy_block(block_, to);
  block_ = {to, block_.rows, block_.columns, block_.columns, 1};
  viewed_ = nullptr;
  return true;
}

bool broadcast(const Block& b, Py_ssize_t rows, Py_ssize_t columns, Block* filled) noexcept {
  if ((b.rows != rows && b.rows != 1) || (b.columns != columns && b.columns != 1)) return false;
  // `filled` may be `b` itself.
  *filled = {b.at, rows, columns, b.rows == rows ? b.row_step : 0, b.columns == columns ? b.column_step : 0};
  return true;
}

bool common_shape(const Block& a, const Block& b, Py_ssize_t* rows, Py_ssize_t* columns) {
  const bool fits =
      (a.rows == b.rows || a.rows == 1 || b.rows == 1) && (a.columns == b.columns || a.columns == 1 || b.columns == 1);
  if (!fits) {
    PyErr_Format(PyExc_ValueError, "Dimension mismatch between operands: %zdx%zd and %zdx%zd", a.rows, a.columns,
                 b.rows, b.columns);
    return false;
  }
  *rows = a.rows == 1 ? b.rows : a.rows;
  *columns = a.columns == 1 ? b.columns : a.columns;
  return true;
}

}  // namespace boc::py
