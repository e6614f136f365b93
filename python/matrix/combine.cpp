#include "combine.h"

#include <Eigen/Core>

namespace boc::py {
namespace {

using Array = Eigen::Map<Eigen::ArrayXd>;
using Strided = Eigen::Map<Eigen::ArrayXd, Eigen::Unaligned, Eigen::InnerStride<>>;

template <Binary kOp, typename A, typename B>
auto apply(const A& a, const B& b) noexcept {
  if constexpr (kOp == Binary::add) return a + b;
  if constexpr (kOp == Binary::subtract) return a - b;
  if constexpr (kOp == Binary::multiply) return a * b;
  if constexpr (kOp == Binary::divide) return a / b;
  if constexpr (kOp == Binary::less) return (a < b).template cast<double>();
  if constexpr (kOp == Binary::less_equal) return (a <= b).template cast<double>();
  if constexpr (kOp == Binary::greater) return (a > b).template cast<double>();
  if constexpr (kOp == Binary::greater_equal) return (a >= b).template cast<double>();
  if constexpr (kOp == Binary::equal) return (a == b).template cast<double>();
  if constexpr (kOp == Binary::not_equal) return (a != b).template cast<double>();
}

// One row, or all at once.
template <Binary kOp>
void run(double* to, double* a, Py_ssize_t a_step, double* b, Py_ssize_t b_step, Py_ssize_t n) noexcept {
  Array out(to, n);
  if (a_step == 1 && b_step == 1) {
    out = apply<kOp>(Array(a, n), Array(b, n));
  } else if (a_step == 1 && b_step == 0) {
    const double value = *b;  // `to` may be where it lies
    out = apply<kOp>(Array(a, n), Eigen::ArrayXd::Constant(n, value));
  } else if (a_step == 0 && b_step == 1) {
    const double value = *a;
    out = apply<kOp>(Eigen::ArrayXd::Constant(n, value), Array(b, n));
  } else {
    out = apply<kOp>(Strided(a, n, Eigen::InnerStride<>(a_step)), Strided(b, n, Eigen::InnerStride<>(b_step)));
  }
}

// A block as one long row: its step, or -1 if it is none.
Py_ssize_t flat_step(const Block& b) noexcept {
  if (b.row_step == 0 && b.column_step == 0) return 0;
  return b.dense() ? 1 : -1;
}

template <Binary kOp>
void run_all(const Block& a, const Block& b, double* to) noexcept {
  const Py_ssize_t x = flat_step(a), y = flat_step(b);
  if (x >= 0 && y >= 0) {
    run<kOp>(to, a.at, x, b.at, y, a.size());
    return;
  }
  for (Py_ssize_t i = 0; i < a.rows; ++i) {
    run<kOp>(to + i * a.columns, a.row(i), a.column_step, b.row(i), b.column_step, a.columns);
  }
}

}  // namespace

void combine(Binary op, const Block& a, const Block& b, double* to) noexcept {
  switch (op) {
    case Binary::add:
      return run_all<Binary::add>(a, b, to);
    case Binary::subtract:
      return run_all<Binary::subtract>(a, b, to);
    case Binary::multiply:
      return run_all<Binary::multiply>(a, b, to);
    case Binary::divide:
      return run_all<Binary::divide>(a, b, to);
    case Binary::less:
      return run_all<Binary::less>(a, b, to);
    case Binary::less_equal:
      return run_all<Binary::less_equal>(a, b, to);
    case Binary::greater:
      return run_all<Binary::greater>(a, b, to);
    case Binary::greater_equal:
      return run_all<Binary::greater_equal>(a, b, to);
    case Binary::equal:
      return run_all<Binary::equal>(a, b, to);
    case Binary::not_equal:
      return run_all<Binary::not_equal>(a, b, to);
  }
}

}  // namespace boc::py
