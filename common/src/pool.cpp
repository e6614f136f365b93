// The threads' caches. Each keeps, per size class, the list it works on and one full spare batch: a thread that
// allocates and frees around the border between two batches does not run to the depot each time.
#include "boc/pool.h"

#include <new>

#include "boc/sync.h"
#include "slabs.h"

// Sanitizers look after malloc's memory: with a pool in between they would miss most errors.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BOC_POOL_IS_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define BOC_POOL_IS_MALLOC 1
#endif
#endif

namespace boc {

#ifdef BOC_POOL_IS_MALLOC

void* pool_allocate(size_t bytes) {
  return ::operator new(bytes);
}
void pool_free(void* memory, size_t) noexcept {
  ::operator delete(memory);
}
void pool_trim() noexcept {}
size_t pool_held() noexcept {
  return 0;
}

#else

namespace {

using pool::Block;

// limit is 0 until the thread's first use, and again once the thread ends: the short ways below fail then, and the
// long ones see why.
struct Bin {
  Block* list;
  Block* spare;  // exactly `limit` blocks
  uint32_t count;
  uint32_t limit;
};
struct Cache {
  Bin bins[pool::CLASSES];
  bool closed;
};

// Plain data: it can be used before and after all other thread_local objects of the thread.
constinit thread_local Cache cache{};
// The cache while it is open: the short ways below go through this.
constinit thread_local Cache* open_cache_of_thread BOC_FAST_TLS = nullptr;

void close_cache() noexcept {
  open_cache_of_thread = nullptr;
  for (unsigned c = 0; c < pool::CLASSES; ++c) {
    Bin& bin = cache.bins[c];
    if (bin.list) pool::store_list(c, bin.list);
    if (bin.spare) pool::store_batch(c, bin.spare);
    bin = {};
  }
}

struct Closer {
  ~Closer() {
    close_cache();
    cache.closed = true;
  }
};

// True if the thread may keep blocks. Thread_local objects that are destroyed after Closer go to the depot directly.
bool open_cache() {
  if (cache.closed) return false;
  static const bool watched = (pool::watch_forks(), true);
  (void)watched;
  static thread_local Closer closer;
  (void)closer;
  for (unsigned c = 0; c < pool::CLASSES; ++c) cache.bins[c].limit = pool::batch_of(c);
  open_cache_of_thread = &cache;
  return true;
}

[[gnu::noinline]] void* allocate_slowly(unsigned size_class) {
  Bin& bin = cache.bins[size_class];
  Block* block = bin.spare;
  if (block) {
    bin.spare = nullptr;
    bin.count = bin.limit;
  } else {
    const bool keeps = bin.limit != 0 || open_cache();
    const pool::Chain chain = pool::fetch(size_class);
    block = chain.first;
    if (!keeps) {
      if (block->next) pool::store_list(size_class, block->next);
      return block;
    }
    bin.count = chain.count;
  }
  bin.list = block->next;
  --bin.count;
  return block;
}

[[gnu::noinline]] void free_slowly(Block* block, unsigned size_class) noexcept {
  Bin& bin = cache.bins[size_class];
  if (bin.limit == 0 && !open_cache()) {
    block->next = nullptr;
    pool::store_list(size_class, block);
    return;
  }
  if (bin.count == bin.limit) {
    if (bin.spare) pool::store_batch(size_class, bin.spare);
    bin.spare = bin.list;
    bin.list = nullptr;
    bin.count = 0;
  }
  block->next = bin.list;
  bin.list = block;
  ++bin.count;
}

}  // namespace

void* pool_allocate(size_t bytes) {
  if (bytes > pool::MOST_BYTES) return ::operator new(bytes);
  const unsigned size_class = pool::class_of(bytes);
  Cache* open = open_cache_of_thread;
  if (!open) return allocate_slowly(size_class);
  Bin& bin = open->bins[size_class];
  Block* block = bin.list;
  if (!block) return allocate_slowly(size_class);
  bin.list = block->next;
  --bin.count;
  return block;
}

void pool_free(void* memory, size_t bytes) noexcept {
  if (bytes > pool::MOST_BYTES) return ::operator delete(memory);
  if (!memory) return;
  const unsigned size_class = pool::class_of(bytes);
  auto* block = static_cast<Block*>(memory);
  Cache* open = open_cache_of_thread;
  if (!open) return free_slowly(block, size_class);
  Bin& bin = open->bins[size_class];
  if (bin.count >= bin.limit) return free_slowly(block, size_class);
  block->next = bin.list;
  bin.list = block;
  ++bin.count;
}

void pool_trim() noexcept {
  const bool closed = cache.closed;
  close_cache();  // the next use opens it again
  cache.closed = closed;
  pool::release_idle();
}

size_t pool_held() noexcept {
  return pool::held();
}

#endif

}  // namespace boc
