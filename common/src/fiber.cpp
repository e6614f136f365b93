#include "boc/fiber.h"

#ifdef BOC_FIBERS
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif
#endif

#ifdef BOC_FIBERS
// The two functions of Boost.Context that switch stacks: ours (switch_*.S), or the library's. Declared here, as its header
// declares them for C++ in some releases and for C in others; the library has them for C.
extern "C" {
struct boc_transfer {
  void* context;  // of the code that was left
  void* data;
};
boc_transfer jump_fcontext(void* to, void* data);
void* make_fcontext(void* top, size_t size, void (*function)(boc_transfer));
}
#endif

namespace boc {

#ifndef BOC_FIBERS

Fiber::~Fiber() = default;
bool Fiber::supported() noexcept {
  return false;
}
bool Fiber::make(size_t, void (*)(void*), void*) noexcept {
  return false;
}
void Fiber::jump(Fiber&, Fiber&, bool) noexcept {}

#else

bool Fiber::supported() noexcept {
  return true;
}

Fiber::~Fiber() {
  if (!mapping_) return;
#if defined(__SANITIZE_THREAD__)
  if (sanitizer_) __tsan_destroy_fiber(sanitizer_);
#endif
  munmap(mapping_, mapped_);
}

bool Fiber::make(size_t bytes, void (*entry)(void*), void* argument) noexcept {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  bytes = (bytes + page - 1) / page * page;
  void* mapping =
      mmap(nullptr, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return false;
#ifdef MADV_NOHUGEPAGE
  madvise(mapping, bytes + page, MADV_NOHUGEPAGE);  // else the first touch may cost 2 MB
#endif
  if (mprotect(mapping, page, PROT_NONE) != 0) {
    munmap(mapping, bytes + page);
    return false;
  }
  mapping_ = mapping;
  mapped_ = bytes + page;
  low_ = static_cast<char*>(mapping) + page;
  size_ = bytes;
  entry_ = entry;
  argument_ = argument;
#if defined(__SANITIZE_THREAD__)
  sanitizer_ = __tsan_create_fiber(0);
#endif
  void* top = static_cast<char*>(mapping) + mapped_;
  context_ = make_fcontext(top, bytes, [](boc_transfer way) {
    auto& left = *static_cast<Fiber*>(way.data);
    left.context_ = way.context;
    begin(left);
  });
  return true;
}

void Fiber::begin(Fiber& left) noexcept {
  Fiber& self = *left.next_;
  self.arrive(left);
  self.entry_(self.argument_);
}

// The first thing on a stack that was jumped to.
void Fiber::arrive([[maybe_unused]] Fiber& left) noexcept {
#if defined(__SANITIZE_ADDRESS__)
  const void* low;
  size_t size;
  __sanitizer_finish_switch_fiber(sanitizer_, &low, &size);
  if (left.mapping_) return;
  left.low_ = low;  // so that one can jump back to a thread's own stack
  left.size_ = size;
#endif
}

void Fiber::jump(Fiber& from, Fiber& to, [[maybe_unused]] bool last) noexcept {
  from.next_ = &to;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(last ? nullptr : &from.sanitizer_, to.low_, to.size_);
#endif
#if defined(__SANITIZE_THREAD__)
  if (!from.sanitizer_) from.sanitizer_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(to.sanitizer_, 0);
#endif
  const boc_transfer back = jump_fcontext(to.context_, &from);
  auto& left = *static_cast<Fiber*>(back.data);
  left.context_ = back.context;
  left.next_->arrive(left);
}

#endif

}  // namespace boc
