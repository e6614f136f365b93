// The depot below the threads' caches: batches of free blocks per size class, and the slabs they come from.
#pragma once

#include <cstddef>
#include <cstdint>

#include "boc/sync.h"

namespace boc::pool {

// A free block. next: the next block of its batch or list. next_batch: in the first block of a batch in the depot.
struct Block {
  Block* next;
  Block* next_batch;
};

inline constexpr size_t MOST_BYTES = 1024;  // larger requests go to operator new
inline constexpr unsigned CLASSES = 41;

// Steps of 16 up to 512, then of 64.
constexpr unsigned class_of(size_t bytes) noexcept {
  return static_cast<unsigned>(bytes <= 512 ? (bytes + 15) / 16 : 32 + (bytes - 512 + 63) / 64);
}
constexpr size_t bytes_of(unsigned size_class) noexcept {
  return size_class == 0 ? 16 : size_class <= 32 ? size_class * size_t{16} : 512 + (size_class - 32) * size_t{64};
}
// Blocks that change hands at a time: about 8 KiB.
constexpr uint32_t batch_of(unsigned size_class) noexcept {
  const size_t n = 8192 / bytes_of(size_class);
  return static_cast<uint32_t>(n < 8 ? 8 : n > 64 ? 64 : n);
}
static_assert(class_of(MOST_BYTES) == CLASSES - 1 && bytes_of(CLASSES - 1) == MOST_BYTES);

// A list of blocks and its length.
struct Chain {
  Block* first = nullptr;
  uint32_t count = 0;
};

// Between one and batch_of() blocks. Throws std::bad_alloc.
Chain fetch(unsigned size_class);
// Takes exactly batch_of() blocks.
void store_batch(unsigned size_class, Block* first) noexcept;
// Takes any list.
void store_list(unsigned size_class, Block* first) noexcept;
// Everything idle goes back to the system.
void release_idle() noexcept;
size_t held() noexcept;
// Makes fork() wait until no thread is inside the depot. Once, before the first use.
void watch_forks() noexcept;

}  // namespace boc::pool
