// What may stand for a matrix in an operation: a Matrix, a MatrixView, a list or tuple of numbers (a row), a number.
#pragma once

#include <memory>

#include "matrix.h"

namespace boc::py {

// A row or column of a matrix, or a part of one, without a copy. Refers to the matrix, whose memory stays (M1).
struct ViewObject {
  PyObject_HEAD PyObject* matrix;
  Py_ssize_t offset;
  Py_ssize_t step;
  Py_ssize_t count;
  bool is_row;
  bool read_only;
};

inline ViewObject* as_view(PyObject* o) noexcept {
  return reinterpret_cast<ViewObject*>(o);
}
inline bool is_view(PyObject* o) noexcept {
  return Py_TYPE(o) == home().matrix_view_type;
}
inline Block block_of_view(const ViewObject* v) noexcept {
  double* at = as_matrix(v->matrix)->doubles->data() + v->offset;
  return v->is_row ? Block{at, 1, v->count, v->count * v->step, v->step} : Block{at, v->count, 1, v->step, 1};
}

// Borrows: the object that it was taken from outlives it.
class Operand {
 public:
  Operand() = default;
  Operand(const Operand&) = delete;
  Operand& operator=(const Operand&) = delete;

  // 1; 0 without an error if `o` is none of these; -1 with an error. Runs Python code for numbers of other types.
  int take(PyObject* o);
  // The same, but 0 for numbers.
  int take_matrix(PyObject* o);
  // What is neither: false with TypeError. `what` names it.
  bool parse(PyObject* o, const char* what);
  bool parse_matrix(PyObject* o, const char* what);

  // Before writing to that memory: a view of it is read first. False with MemoryError.
  bool steady(const Doubles* target);

  const Block& block() const noexcept { return block_; }
  bool number() const noexcept { return number_; }  // then block() is 1x1
  bool single() const noexcept { return block_.rows == 1 && block_.columns == 1; }

 private:
  double* room(Py_ssize_t n);
  int take_sequence(PyObject* o);

  static constexpr Py_ssize_t kFew = 4;

  Block block_;
  const Doubles* viewed_ = nullptr;
  bool number_ = false;
  double few_[kFew];
  std::unique_ptr<double[]> many_;
};

// Where an operand of shape `b` repeats to fill rows x columns: the same numbers with steps of 0. False if it does not.
bool broadcast(const Block& b, Py_ssize_t rows, Py_ssize_t columns, Block* filled) noexcept;
// The shape of both together; false with ValueError.
bool common_shape(const Block& a, const Block& b, Py_ssize_t* rows, Py_ssize_t* columns);

}  // namespace boc::py
