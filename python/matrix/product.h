// The product of two matrices. No Python.
#pragma once

#include "matrix.h"

namespace boc::py {

// to[i][j] = ((a[i][0] * b[0][j] + a[i][1] * b[1][j]) + ...): each sum begins with 0 and takes k in order, and each
// product is rounded by itself, so that the result is the same on every machine and for every size. `to` is dense and
// apart from both. False if there is no memory.
bool multiply(const Block& a, const Block& b, double* to) noexcept;

}  // namespace boc::py
