// The Python object: a matrix of doubles, row by row.
#pragma once

#include <atomic>

#include "doubles.h"

namespace boc::py {

// A rectangle of numbers somewhere; steps count doubles and may be negative or 0 (broadcast).
struct Block {
  double* at = nullptr;
  Py_ssize_t rows = 0;
  Py_ssize_t columns = 0;
  Py_ssize_t row_step = 0;
  Py_ssize_t column_step = 1;

  Py_ssize_t size() const noexcept { return rows * columns; }
  bool same_shape(const Block& other) const noexcept { return rows == other.rows && columns == other.columns; }
  // All of it one after the other.
  bool dense() const noexcept {
    return (column_step == 1 || columns == 1) && (row_step == columns * column_step || rows == 1);
  }
  double* row(Py_ssize_t i) const noexcept { return at + i * row_step; }
  double& operator()(Py_ssize_t i, Py_ssize_t j) const noexcept { return at[i * row_step + j * column_step]; }
};

// Not a container for the collector: it refers to nothing but its type.
// Invariants
//   M1  `doubles` stays the same for as long as the object lives, and both sides are at least 1: kernels run without the
//       GIL, and on free-threaded builds without a lock, on the memory of objects that their caller keeps alive. A program
//       that changes a matrix from two threads at once gets some mixture, never a crash.
//   M2  The shape changes only by transposing in place, which is one byte: whoever reads it once has a shape that fits
//       the memory.
struct MatrixObject {
  PyObject_HEAD Doubles* doubles;
  Py_ssize_t sides[2];
  std::atomic<uint8_t> flipped;     // rows are sides[flipped]
  std::atomic<Py_ssize_t> exports;  // live buffers of the memory
};

inline MatrixObject* as_matrix(PyObject* o) noexcept {
  return reinterpret_cast<MatrixObject*>(o);
}

inline Block block_of(MatrixObject* m) noexcept {
  const unsigned flipped = m->flipped.load(std::memory_order_relaxed) & 1u;
  const Py_ssize_t columns = m->sides[flipped ^ 1u];
  return {m->doubles->data(), m->sides[flipped], columns, columns, 1};
}

inline Block block_of(PyObject* matrix) noexcept {
  return block_of(as_matrix(matrix));
}

// A new matrix, its numbers not set. Null with MemoryError or OverflowError.
PyObject* new_matrix(Py_ssize_t rows, Py_ssize_t columns);
inline PyObject* new_matrix_like(const Block& b) {
  return new_matrix(b.rows, b.columns);
}
// A matrix with the numbers of a block.
PyObject* new_matrix_from(const Block& block);
// Takes over the reference to `doubles`, also in failure.
PyObject* wrap_doubles(Doubles* doubles, Py_ssize_t rows, Py_ssize_t columns);

// Row by row into dense memory; `from` is not in `to` unless it is exactly that.
void copy_block(const Block& from, double* to) noexcept;

// 0 if a matrix may have these sides, else -1 with ValueError or OverflowError.
int check_sides(Py_ssize_t rows, Py_ssize_t columns);

// Lets other threads run Python meanwhile if `work` (about how many multiplications) is worth that.
class Unlocked {
 public:
  explicit Unlocked(double work) noexcept : state_(work > kWorthwhile ? PyEval_SaveThread() : nullptr) {}
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
  ~Unlocked() {
    if (state_) PyEval_RestoreThread(state_);
  }

 private:
  static constexpr double kWorthwhile = 50000;  // some tens of microseconds
  PyThreadState* state_;
};

}  // namespace boc::py
