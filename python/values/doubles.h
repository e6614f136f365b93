// The memory of a matrix. It belongs to the process, not to an interpreter: handing a matrix over hands on a reference.
#pragma once

#include <atomic>
#include <cstddef>

#include "compat.h"
#include "home.h"

namespace boc::py {

// Reference-counted; the numbers follow the header, on a 64-byte boundary where there are many of them.
// Invariants
//   D1  Size and address stay as they are from make() to the last unref(): whoever has a reference may touch the numbers,
//       attached or not. Who may change them is the business of those who hold the matrix.
class Doubles {
 public:
  static constexpr size_t kMost = PTRDIFF_MAX / sizeof(double) - 64;

  // Uninitialised; null if there is no memory. `n` is at most kMost.
  static Doubles* make(size_t n) noexcept;
  Doubles* copy() const noexcept;  // null if there is no memory

  void ref() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void unref() noexcept {
    // Release: whoever frees has seen the writes of all; acquire pairs with it.
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }

  size_t size() const noexcept { return size_; }
  double* data() noexcept { return data_; }
  const double* data() const noexcept { return data_; }

 private:
  Doubles(size_t size, double* data) noexcept : size_(size), data_(data) {}
  void destroy() noexcept;

  std::atomic<size_t> references_{1};
  size_t size_;
  double* data_;
};

// A matrix between interpreters.
struct MatrixShare {
  Doubles* doubles = nullptr;
  Py_ssize_t rows = 0;
  Py_ssize_t columns = 0;
};

inline bool is_matrix(PyObject* o) noexcept {
  return Py_TYPE(o) == home().matrix_type;
}

// What the codec asks of those who know matrices. Defined in python/matrix; `matrix` passes is_matrix().
// With a reference to its memory if `moves` and no buffer of it is exported, else to a copy of that: whoever has the
// buffer would go on using the memory. `doubles` is null if there is no memory.
MatrixShare share_matrix(PyObject* matrix, bool moves) noexcept;
// A matrix of the current interpreter: around that very memory if it is the caller's `last` use of the share, else around
// a copy. Null with an error.
PyObject* matrix_around(const MatrixShare& share, bool last) noexcept;
PyObject* copy_matrix(PyObject* matrix) noexcept;  // null with an error
Py_ssize_t matrix_bytes(PyObject* matrix) noexcept;

}  // namespace boc::py
