#include "product.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

namespace boc::py {
namespace {

// A tile of the result stays in registers while k runs; b's columns are packed so that each k is one load. The vectors
// run across columns, so that no sum is split: see product.h.
constexpr Py_ssize_t kTileRows = 4;
constexpr Py_ssize_t kDepth = 512;    // k in one go: a packed panel and a few rows of a fit the first caches
constexpr double kFewSteps = 1000.0;  // less work than packing is worth

void multiply_plainly(const Block& a, const Block& b, double* to) noexcept {
  for (Py_ssize_t i = 0; i < a.rows; ++i) {
    for (Py_ssize_t j = 0; j < b.columns; ++j) {
      double sum = 0;
      for (Py_ssize_t k = 0; k < a.columns; ++k) sum += a(i, k) * b(k, j);
      *to++ = sum;
    }
  }
}

// Columns first.. of b from row k on, `width` wide, zeros beyond its last column.
void pack(const Block& b, Py_ssize_t k, Py_ssize_t depth, Py_ssize_t first, Py_ssize_t width, double* to) noexcept {
  const Py_ssize_t there = std::min(width, b.columns - first);
  for (Py_ssize_t i = 0; i < depth; ++i, to += width) {
    for (Py_ssize_t j = 0; j < there; ++j) to[j] = b(k + i, first + j);
    for (Py_ssize_t j = there; j < width; ++j) to[j] = 0;
  }
}

// A panel of the result: rows of a by one packed panel of b.
struct Panel {
  const Block& a;
  Py_ssize_t k, depth;
  const double* packed;
  double* to;
  Py_ssize_t to_step, there;  // columns of the panel that exist
};

template <typename Vector, int kRows, int kVectors>
[[gnu::always_inline]] inline void tile(const Panel& p, Py_ssize_t i) noexcept {
  constexpr Py_ssize_t kLanes = sizeof(Vector) / sizeof(double);
  constexpr Py_ssize_t kWidth = kVectors * kLanes;
  double edge[kRows][kWidth] = {};
  const auto bytes = static_cast<size_t>(p.there) * sizeof(double);
  if (p.k > 0) {
    for (int r = 0; r < kRows; ++r) std::memcpy(edge[r], p.to + (i + r) * p.to_step, bytes);
  }
  Vector sums[kRows][kVectors];
  std::memcpy(sums, edge, sizeof sums);
  const double* packed = p.packed;
  const double* a = p.a.row(i) + p.k * p.a.column_step;
  for (Py_ssize_t k = 0; k < p.depth; ++k, packed += kWidth, a += p.a.column_step) {
    Vector columns[kVectors];
    std::memcpy(columns, packed, sizeof columns);
    for (int r = 0; r < kRows; ++r) {
      const double factor = a[r * p.a.row_step];
      for (int v = 0; v < kVectors; ++v) sums[r][v] += factor * columns[v];
    }
  }
  std::memcpy(edge, sums, sizeof edge);
  for (int r = 0; r < kRows; ++r) std::memcpy(p.to + (i + r) * p.to_step, edge[r], bytes);
}

template <typename Vector, int kVectors>
[[gnu::always_inline]] inline void panel(const Panel& p) noexcept {
  Py_ssize_t i = 0;
  for (; i + kTileRows <= p.a.rows; i += kTileRows) tile<Vector, kTileRows, kVectors>(p, i);
  for (; i < p.a.rows; ++i) tile<Vector, 1, kVectors>(p, i);
}

typedef double Two __attribute__((vector_size(16)));
void panel_of_two(const Panel& p) noexcept {
  panel<Two, 2>(p);
}

#if defined(__x86_64__) && defined(__GNUC__)
typedef double Four __attribute__((vector_size(32)));
// Wider vectors where the machine has them: the same sums, four at a time.
[[gnu::target("avx2")]] void panel_of_four(const Panel& p) noexcept {
  panel<Four, 2>(p);
}
bool has_wide() noexcept {
  static const bool wide = __builtin_cpu_supports("avx2");
  return wide;
}
#else
bool has_wide() noexcept {
  return false;
}
void panel_of_four(const Panel&) noexcept {}
#endif

}  // namespace

bool multiply(const Block& a, const Block& b, double* to) noexcept {
  const double work = static_cast<double>(a.rows) * static_cast<double>(a.columns) * static_cast<double>(b.columns);
  if (work < kFewSteps || a.rows == 1) {
    multiply_plainly(a, b, to);
    return true;
  }
  const bool wide = has_wide();
  const Py_ssize_t width = wide ? 8 : 4;
  const Py_ssize_t most = std::min(kDepth, a.columns);
  const std::unique_ptr<double[]> packed(new (std::nothrow) double[static_cast<size_t>(most * width)]);
  if (!packed) return false;
  for (Py_ssize_t j = 0; j < b.columns; j += width) {
    for (Py_ssize_t k = 0; k < a.columns; k += kDepth) {
      const Py_ssize_t depth = std::min(kDepth, a.columns - k);
      pack(b, k, depth, j, width, packed.get());
      const Panel p{a, k, depth, packed.get(), to + j, b.columns, std::min(width, b.columns - j)};
      if (wide) {
        panel_of_four(p);
      } else {
        panel_of_two(p);
      }
    }
  }
  return true;
}

}  // namespace boc::py
