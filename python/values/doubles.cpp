#include "doubles.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace boc::py {
namespace {

// From this many on, their memory begins on a cache line.
constexpr size_t kMany = 32;
constexpr size_t kLine = 64;

}  // namespace

Doubles* Doubles::make(size_t n) noexcept {
  void* block;
  size_t header = sizeof(Doubles);
  if (n < kMany) {
    block = std::malloc(header + n * sizeof(double));
  } else {
    header = kLine;
    block = std::aligned_alloc(kLine, (header + n * sizeof(double) + kLine - 1) / kLine * kLine);
  }
  if (!block) return nullptr;
  static_assert(sizeof(Doubles) <= kLine && sizeof(Doubles) % alignof(double) == 0);
  return new (block) Doubles(n, reinterpret_cast<double*>(static_cast<char*>(block) + header));
}

Doubles* Doubles::copy() const noexcept {
  Doubles* made = make(size_);
  if (made) std::memcpy(made->data_, data_, size_ * sizeof(double));
  return made;
}

void Doubles::destroy() noexcept {
  this->~Doubles();
  std::free(this);
}

}  // namespace boc::py
