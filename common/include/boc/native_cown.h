// Cowns in C++: what lies behind one, and the typed handle on it.
#pragma once

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "boc/cown.h"
#include "boc/pool.h"

namespace boc {

namespace detail {

struct NativePayload : Cown {
  std::exception_ptr error;                                       // set instead of a value by a behavior that failed
  bool trivial = false;                                           // its value's destructor does nothing
  NativePayload() noexcept { strong_only.store(true, relaxed); }  // C4: handles come from handles
  virtual ~NativePayload() = default;

  // Whole cache lines: neighbors may be in use on other workers.
  static constexpr size_t rounded(size_t bytes) noexcept { return (bytes + 63) / 64 * 64; }
  static void* operator new(size_t bytes) { return pool_allocate(rounded(bytes)); }
  static void operator delete(void* memory, size_t bytes) noexcept { pool_free(memory, rounded(bytes)); }
  static void* operator new(size_t bytes, std::align_val_t align) { return ::operator new(bytes, align); }
  static void operator delete(void* memory, size_t, std::align_val_t align) noexcept {
    ::operator delete(memory, align);
  }
};

// Cowns in cowns in cowns, however deep, are dropped in a loop: what a payload's destructor drops waits here.
struct Drops {
  bool busy;
  NativePayload* waiting;
};
inline constinit thread_local Drops drops{};

inline void drop_payload(NativePayload* payload) noexcept {
  if (drops.busy) {
    payload->next_dead = drops.waiting;
    drops.waiting = payload;
    return;
  }
  drops.busy = true;
  while (payload) {
    delete payload;
    payload = drops.waiting;
    if (payload) drops.waiting = static_cast<NativePayload*>(payload->next_dead);
  }
  drops.busy = false;
}

template <class T>
struct Payload final : NativePayload {
  T value;
  template <class... A>
  explicit Payload(A&&... a) : value(std::forward<A>(a)...) {
    trivial = std::is_trivially_destructible_v<T>;
  }
};

template <>
struct Payload<void> final : NativePayload {
  Payload() noexcept { trivial = true; }
};

}  // namespace detail

// A handle on a cown; copies are the same cown.
template <class T>
class cown {
 public:
  cown() noexcept = default;
  explicit cown(detail::Payload<T>* payload) noexcept : payload_(payload) {}  // takes over one reference
  cown(const cown& other) noexcept : payload_(other.payload_) {
    if (payload_) payload_->ref();
  }
  cown(cown&& other) noexcept : payload_(std::exchange(other.payload_, nullptr)) {}
  cown& operator=(cown other) noexcept {
    std::swap(payload_, other.payload_);
    return *this;
  }
  ~cown() {
    if (payload_ && payload_->unref()) detail::drop_payload(payload_);
  }

  explicit operator bool() const noexcept { return payload_ != nullptr; }
  bool operator==(const cown&) const noexcept = default;
  detail::Payload<T>* payload() const noexcept { return payload_; }

 private:
  detail::Payload<T>* payload_ = nullptr;
};

template <class T, class... A>
cown<T> make_cown(A&&... a) {
  return cown<T>(new detail::Payload<T>(std::forward<A>(a)...));
}

template <class Arg>
struct Read {
  Arg argument;
};
template <class Arg>
Read<Arg> read(Arg&& argument) {
  return {std::forward<Arg>(argument)};
}

}  // namespace boc
