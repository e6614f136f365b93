#include "matrix.h"

#include <cstring>
#include <new>

namespace boc::py {

int check_sides(Py_ssize_t rows, Py_ssize_t columns) {
  constexpr size_t kUsual = size_t{1} << 26;  // spares the division
  if (static_cast<size_t>(rows) - 1 < kUsual && static_cast<size_t>(columns) - 1 < kUsual) return 0;
  if (rows < 1 || columns < 1) {
    PyErr_Format(PyExc_ValueError, "a matrix has at least one row and one column, not %zd x %zd", rows, columns);
    return -1;
  }
  if (static_cast<size_t>(rows) > Doubles::kMost / static_cast<size_t>(columns)) {
    PyErr_Format(PyExc_OverflowError, "a matrix of %zd x %zd is too large for this machine's addresses", rows, columns);
    return -1;
  }
  return 0;
}

PyObject* wrap_doubles(Doubles* doubles, Py_ssize_t rows, Py_ssize_t columns) {
  auto* made = PyObject_New(MatrixObject, home().matrix_type);
  if (!made) {
    doubles->unref();
    return nullptr;
  }
  made->doubles = doubles;
  made->sides[0] = rows;
  made->sides[1] = columns;
  new (&made->flipped) std::atomic<uint8_t>(uint8_t{0});
  new (&made->exports) std::atomic<Py_ssize_t>(0);
  return reinterpret_cast<PyObject*>(made);
}

PyObject* new_matrix(Py_ssize_t rows, Py_ssize_t columns) {
  if (check_sides(rows, columns) < 0) return nullptr;
  Doubles* doubles = Doubles::make(static_cast<size_t>(rows * columns));
  if (!doubles) return PyErr_NoMemory();
  return wrap_doubles(doubles, rows, columns);
}

PyObject* new_matrix_from(const Block& block) {
  PyObject* made = new_matrix_like(block);
  if (made) {
    Unlocked unlocked(static_cast<double>(block.size()));
    copy_block(block, as_matrix(made)->doubles->data());
  }
  return made;
}

void copy_block(const Block& from, double* to) noexcept {
  if (from.dense()) {
    std::memmove(to, from.at, static_cast<size_t>(from.size()) * sizeof(double));
    return;
  }
  for (Py_ssize_t i = 0; i < from.rows; ++i) {
    const double* row = from.row(i);
    for (Py_ssize_t j = 0; j < from.columns; ++j) *to++ = row[j * from.column_step];
  }
}

MatrixShare share_matrix(PyObject* matrix, bool moves) noexcept {
  MatrixObject* m = as_matrix(matrix);
  const Block b = block_of(m);
  // Acquire: what was written through a buffer before its release is in the copy that is not made then.
  if (moves && m->exports.load(std::memory_order_acquire) == 0) {
    m->doubles->ref();
    return {m->doubles, b.rows, b.columns};
  }
  return {m->doubles->copy(), b.rows, b.columns};
}

PyObject* matrix_around(const MatrixShare& share, bool last) noexcept {
  Doubles* doubles = share.doubles;
  if (last) {
    doubles->ref();
  } else {
    doubles = doubles->copy();
    if (!doubles) return PyErr_NoMemory();
  }
  return wrap_doubles(doubles, share.rows, share.columns);
}

PyObject* copy_matrix(PyObject* matrix) noexcept {
  return new_matrix_from(block_of(matrix));
}

Py_ssize_t matrix_bytes(PyObject* matrix) noexcept {
  return block_of(matrix).size() * static_cast<Py_ssize_t>(sizeof(double));
}

}  // namespace boc::py
