// Memory for what lives as briefly as a behavior: fixed size classes, a cache per thread, and a depot between the
// threads, so that memory freed by another thread than its allocator's finds its way back in whole batches.
#pragma once

#include <cstddef>

namespace boc {

// At least `bytes` bytes, aligned for any type without extended alignment (sizes that are multiples of 64: to a
// cache line). Any thread, at any time of its life, also in thread_local destructors, after static destruction, and
// in the child of a fork. Throws std::bad_alloc.
void* pool_allocate(size_t bytes);
// `bytes` as given to pool_allocate(); any thread.
void pool_free(void* memory, size_t bytes) noexcept;
// Gives idle memory back to the system: the caller's cache and the depot's, not other threads' caches.
void pool_trim() noexcept;
// What the pool has from the system at present, in bytes. 0 in builds where it is malloc (under sanitizers).
size_t pool_held() noexcept;

// Classes that derive from this are allocated from the pool, arrays excepted. A virtual destructor in the hierarchy
// gives operator delete the right size.
struct Pooled {
  static void* operator new(size_t bytes) { return pool_allocate(bytes); }
  static void* operator new(size_t, void* place) noexcept { return place; }
  static void operator delete(void* memory, size_t bytes) noexcept { pool_free(memory, bytes); }

 protected:
  ~Pooled() = default;
};

}  // namespace boc
