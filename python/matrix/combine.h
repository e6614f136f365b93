// The kernels of operations on two operands, element by element. No Python.
#pragma once

#include "matrix.h"

namespace boc::py {

enum class Binary { add, subtract, multiply, divide, less, less_equal, greater, greater_equal, equal, not_equal };

// `to` gets rows x columns dense numbers; a and b have that shape (with steps of 0 where they repeat). Each of them is
// apart from `to`, or dense and at the same place.
void combine(Binary op, const Block& a, const Block& b, double* to) noexcept;

}  // namespace boc::py
