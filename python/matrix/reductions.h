// The columns or rows of a matrix as groups of numbers, with a mask.
#pragma once

#include "arguments.h"

namespace boc::py {

struct Group {
  const double* at;
  const double* mask;  // in the same steps; null if all are included
  Py_ssize_t step;
  Py_ssize_t count;

  double operator[](Py_ssize_t i) const noexcept { return at[i * step]; }
  bool has(Py_ssize_t i) const noexcept { return !mask || mask[i * step] != 0; }
};

// A where= argument. `mask->at` is null if there is none. False with TypeError or ValueError.
bool parse_mask(PyObject* o, const Block& self, Block* mask);

// Both blocks are matrices, dense.
Group group_of(const Block& b, const Block& mask, Axis axis, Py_ssize_t i) noexcept;
Py_ssize_t group_count(const Block& b, Axis axis) noexcept;
// A matrix with one number for each group of down or across.
PyObject* new_per_group(const Block& b, Axis axis);

}  // namespace boc::py
