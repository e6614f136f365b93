#include "slabs.h"

#include <pthread.h>
#include <sys/mman.h>

#include <new>

namespace boc::pool {
namespace {

constexpr size_t SLAB_BYTES = size_t{256} << 10;
constexpr size_t HEADER_BYTES = 64;                        // keeps blocks of 64, 128, ... bytes on cache lines
constexpr uint32_t MOST_BATCHES = 128;                     // per class and at most; then blocks go back to their slabs
constexpr uint32_t MOST_EMPTY = (128 << 20) / SLAB_BYTES;  // kept between bursts, until release_idle()
constexpr size_t GROWTH_BYTES = size_t{4} << 20;  // a pool as large as this is going to use its slabs to the end

// Aligned to SLAB_BYTES, so that a block finds its slab. Blocks are carved as they are needed: memory that was never
// used is never touched.
//
// Invariants (under the lock of its class)
//   L1  used = blocks that are with threads or in batches. At 0 the slab leaves its class.
//   L2  The slab is in its class's list of partial ones exactly if it has something to give.
struct Slab {
  Block* free;
  char* fresh;
  char* end;
  Slab* next;
  Slab* previous;
  uint32_t used;

  bool has_some() const noexcept { return free || fresh != end; }
};
static_assert(sizeof(Slab) <= HEADER_BYTES);

Slab* slab_of(Block* block) noexcept {
  return reinterpret_cast<Slab*>(reinterpret_cast<uintptr_t>(block) & ~(SLAB_BYTES - 1));
}

// Never destroyed: threads may come here after the program's static objects are gone.
struct alignas(64) Depot {
  SpinLock lock;
  uint32_t batch_count = 0;
  Block* batches = nullptr;
  Slab* partial = nullptr;
};
constinit Depot depots[CLASSES];

struct alignas(64) Empties {
  SpinLock lock;
  uint32_t count = 0;
  Slab* first = nullptr;
};
constinit Empties empties;
constinit atomic<size_t> held_bytes{0};

void unmap(Slab* slab) noexcept {
  // Refused only if the system is out of mappings. The slab is lost then, which is better than ending the program.
  if (munmap(slab, SLAB_BYTES) == 0) held_bytes.fetch_sub(SLAB_BYTES, relaxed);
}

void* map_aligned() noexcept {
  auto map = [](size_t bytes) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? 0 : reinterpret_cast<uintptr_t>(at);
  };
  // Mappings are laid side by side: after the first one this is usually aligned already.
  uintptr_t at = map(SLAB_BYTES);
  if (at == 0) return nullptr;
  if (at % SLAB_BYTES != 0) {
    munmap(reinterpret_cast<void*>(at), SLAB_BYTES);
    at = map(2 * SLAB_BYTES);
    if (at == 0) return nullptr;
    const uintptr_t aligned = (at + SLAB_BYTES - 1) & ~(SLAB_BYTES - 1);
    if (aligned != at) munmap(reinterpret_cast<void*>(at), aligned - at);
    munmap(reinterpret_cast<void*>(aligned + SLAB_BYTES), at + SLAB_BYTES - aligned);
    at = aligned;
  }
#ifdef MADV_POPULATE_WRITE
  // All pages at once: a page fault each costs several times as much. Where the system cannot, faults do it.
  if (held_bytes.load(relaxed) >= GROWTH_BYTES) madvise(reinterpret_cast<void*>(at), SLAB_BYTES, MADV_POPULATE_WRITE);
#endif
  held_bytes.fetch_add(SLAB_BYTES, relaxed);
  return reinterpret_cast<void*>(at);
}

Slab* new_slab(unsigned size_class) noexcept {
  Slab* slab;
  {
    std::lock_guard guard(empties.lock);
    slab = empties.first;
    if (slab) {
      empties.first = slab->next;
      --empties.count;
    }
  }
  if (!slab) slab = static_cast<Slab*>(map_aligned());
  if (!slab) return nullptr;
  const size_t bytes = bytes_of(size_class);
  char* begin = reinterpret_cast<char*>(slab) + HEADER_BYTES;
  char* end = begin + (SLAB_BYTES - HEADER_BYTES) / bytes * bytes;
  return new (slab) Slab{nullptr, begin, end, nullptr, nullptr, 0};
}

void keep_empty(Slab* list) noexcept {
  while (Slab* slab = list) {
    list = slab->next;
    {
      std::lock_guard guard(empties.lock);
      if (empties.count < MOST_EMPTY) {
        slab->next = empties.first;
        empties.first = slab;
        ++empties.count;
        continue;
      }
    }
    unmap(slab);
  }
}

void link_partial(Depot& depot, Slab* slab) noexcept {
  slab->previous = nullptr;
  slab->next = depot.partial;
  if (slab->next) slab->next->previous = slab;
  depot.partial = slab;
}

void unlink_partial(Depot& depot, Slab* slab) noexcept {
  (slab->previous ? slab->previous->next : depot.partial) = slab->next;
  if (slab->next) slab->next->previous = slab->previous;
}

// Under the depot's lock: moves blocks of its first partial slab to `chain`, until that has `most`.
void take_from_slab(Depot& depot, Chain& chain, uint32_t most, size_t bytes) noexcept {
  Slab* slab = depot.partial;
  while (chain.count < most && slab->has_some()) {
    Block* block = slab->free;
    if (block) {
      slab->free = block->next;
    } else {
      block = reinterpret_cast<Block*>(slab->fresh);
      slab->fresh += bytes;
    }
    ++slab->used;
    block->next = chain.first;
    chain.first = block;
    ++chain.count;
  }
  if (!slab->has_some()) unlink_partial(depot, slab);  // L2
}

// Under the depot's lock: the blocks of the list go back to their slabs; those that are empty now (L1) are prepended
// to `done`.
void give_to_slabs(Depot& depot, Block* list, Slab*& done) noexcept {
  while (Block* block = list) {
    list = block->next;
    Slab* slab = slab_of(block);
    if (!slab->has_some()) link_partial(depot, slab);  // L2
    block->next = slab->free;
    slab->free = block;
    if (--slab->used == 0) {
      unlink_partial(depot, slab);
      slab->next = done;
      done = slab;
    }
  }
}

}  // namespace

Chain fetch(unsigned size_class) {
  Depot& depot = depots[size_class];
  const uint32_t most = batch_of(size_class);
  Chain chain;
  for (;;) {
    {
      std::lock_guard guard(depot.lock);
      if (Block* batch = depot.batches) {
        depot.batches = batch->next_batch;
        --depot.batch_count;
        return {batch, most};
      }
      while (chain.count < most && depot.partial) take_from_slab(depot, chain, most, bytes_of(size_class));
      if (chain.count) return chain;
    }
    Slab* slab = new_slab(size_class);  // without the lock, as the system may take its time
    if (!slab) throw std::bad_alloc();
    std::lock_guard guard(depot.lock);
    link_partial(depot, slab);
  }
}

void store_batch(unsigned size_class, Block* first) noexcept {
  Depot& depot = depots[size_class];
  Slab* done = nullptr;
  {
    std::lock_guard guard(depot.lock);
    if (depot.batch_count < MOST_BATCHES) {
      first->next_batch = depot.batches;
      depot.batches = first;
      ++depot.batch_count;
      return;
    }
    give_to_slabs(depot, first, done);
  }
  keep_empty(done);
}

void store_list(unsigned size_class, Block* first) noexcept {
  Depot& depot = depots[size_class];
  Slab* done = nullptr;
  {
    std::lock_guard guard(depot.lock);
    give_to_slabs(depot, first, done);
  }
  keep_empty(done);
}

void release_idle() noexcept {
  for (Depot& depot : depots) {
    Slab* done = nullptr;
    {
      std::lock_guard guard(depot.lock);
      Block* batch = depot.batches;
      depot.batches = nullptr;
      depot.batch_count = 0;
      while (batch) {
        Block* next = batch->next_batch;
        give_to_slabs(depot, batch, done);
        batch = next;
      }
    }
    keep_empty(done);
  }
  Slab* idle;
  {
    std::lock_guard guard(empties.lock);
    idle = empties.first;
    empties.first = nullptr;
    empties.count = 0;
  }
  while (Slab* slab = idle) {
    idle = slab->next;
    unmap(slab);
  }
}

size_t held() noexcept {
  return held_bytes.load(relaxed);
}

void watch_forks() noexcept {
  // No lock is ever taken inside another, so any order will do.
  auto lock = [] {
    for (Depot& depot : depots) depot.lock.lock();
    empties.lock.lock();
  };
  auto unlock = [] {
    empties.lock.unlock();
    for (Depot& depot : depots) depot.lock.unlock();
  };
  pthread_atfork(lock, unlock, unlock);
}

}  // namespace boc::pool
