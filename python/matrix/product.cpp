#include "product.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

namespace boc::py {
namespace {

// A tile of the result stays in registers while k runs; b's columns are packed so that each k is one load. The vectors
// run across columns, so that no sum is split: see product.h.
constexpr Py_ssize_t kDepth = 512;    // k in one go: a packed panel and a few rows of a fit the first caches
constexpr int kVectors = 2;           // of a row of a tile
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

// Each vector by itself: an array of them that is copied as a whole stays in memory.
template <typename Vector, int kRows>
[[gnu::always_inline]] inline void tile(const Panel& p, Py_ssize_t i) noexcept {
  constexpr Py_ssize_t kLanes = sizeof(Vector) / sizeof(double);
  constexpr Py_ssize_t kWidth = kVectors * kLanes;
  double edge[kRows][kWidth] = {};
  const auto bytes = static_cast<size_t>(p.there) * sizeof(double);
  if (p.k > 0) {
    for (int r = 0; r < kRows; ++r) std::memcpy(edge[r], p.to + (i + r) * p.to_step, bytes);
  }
  Vector sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) std::memcpy(&sums[r][v], edge[r] + v * kLanes, sizeof(Vector));
  }
  const double* packed = p.packed;
  const double* a = p.a.row(i) + p.k * p.a.column_step;
  for (Py_ssize_t k = 0; k < p.depth; ++k, packed += kWidth, a += p.a.column_step) {
    Vector columns[kVectors];
    for (int v = 0; v < kVectors; ++v) std::memcpy(&columns[v], packed + v * kLanes, sizeof(Vector));
    for (int r = 0; r < kRows; ++r) {
      const double factor = a[r * p.a.row_step];
      for (int v = 0; v < kVectors; ++v) sums[r][v] += factor * columns[v];
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) std::memcpy(edge[r] + v * kLanes, &sums[r][v], sizeof(Vector));
  }
  for (int r = 0; r < kRows; ++r) std::memcpy(p.to + (i + r) * p.to_step, edge[r], bytes);
}

template <typename Vector, int kRows>
[[gnu::always_inline]] inline void panel(const Panel& p) noexcept {
  Py_ssize_t i = 0;
  for (; i + kRows <= p.a.rows; i += kRows) tile<Vector, kRows>(p, i);
  for (; i < p.a.rows; ++i) tile<Vector, 1>(p, i);
}

// The widest vectors that the machine has: the same sums, more of them at a time. As many rows as there are registers for.
struct Kernel {
  void (*panel)(const Panel& p) noexcept;
  Py_ssize_t width;
};

typedef double Two __attribute__((vector_size(16)));
void panel_of_two(const Panel& p) noexcept {
  panel<Two, 4>(p);
}

#if defined(__x86_64__) && defined(__GNUC__)
typedef double Four __attribute__((vector_size(32)));
[[gnu::target("avx2")]] void panel_of_four(const Panel& p) noexcept {
  panel<Four, 4>(p);
}
typedef double Eight __attribute__((vector_size(64)));
[[gnu::target("avx512f")]] void panel_of_eight(const Panel& p) noexcept {
  panel<Eight, 8>(p);
}
Kernel choose() noexcept {
  if (__builtin_cpu_supports("avx512f")) return {panel_of_eight, 8 * kVectors};
  if (__builtin_cpu_supports("avx2")) return {panel_of_four, 4 * kVectors};
  return {panel_of_two, 2 * kVectors};
}
#else
Kernel choose() noexcept {
  return {panel_of_two, 2 * kVectors};
}
#endif

}  // namespace

bool multiply(const Block& a, const Block& b, double* to) noexcept {
  const double work = static_cast<double>(a.rows) * static_cast<double>(a.columns) * static_cast<double>(b.columns);
  if (work < kFewSteps || a.rows == 1) {
    multiply_plainly(a, b, to);
    return true;
  }
  static const Kernel kernel = choose();
  const Py_ssize_t width = kernel.width;
  const Py_ssize_t most = std::min(kDepth, a.columns);
  const std::unique_ptr<double[]> packed(new (std::nothrow) double[static_cast<size_t>(most * width)]);
  if (!packed) return false;
  for (Py_ssize_t j = 0; j < b.columns; j += width) {
    for (Py_ssize_t k = 0; k < a.columns; k += kDepth) {
      const Py_ssize_t depth = std::min(kDepth, a.columns - k);
      pack(b, k, depth, j, width, packed.get());
      const Panel p{a, k, depth, packed.get(), to + j, b.columns, std::min(width, b.columns - j)};
      kernel.panel(p);
    }
  }
  return true;
}

}  // namespace boc::py
