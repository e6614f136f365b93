// What the tests through the C++ backend share.
#pragma once

#include <memory>
#include <vector>

#include "boc/native.h"
#include "check.h"

namespace support {

using namespace boc;
using namespace std::chrono_literals;

// A value that counts how many of it are alive: a cown that is never dropped, or dropped twice, shows.
struct Counted {
  long n = 0;
  Counted() noexcept { live.fetch_add(1); }
  explicit Counted(long value) noexcept : n(value) { live.fetch_add(1); }
  Counted(const Counted& other) noexcept : n(other.n) { live.fetch_add(1); }
  Counted& operator=(const Counted&) = default;
  ~Counted() { live.fetch_sub(1); }
  static inline std::atomic<long> live{0};
};

// Counts who is inside; a writer must be alone, readers must not meet a writer.
struct Guarded {
  std::atomic<int> readers{0};
  std::atomic<int> writers{0};
  long n = 0;
  std::vector<int> log;

  void write() {
    CHECK_EQ(writers.fetch_add(1), 0);
    CHECK_EQ(readers.load(), 0);
    ++n;
    writers.fetch_sub(1);
  }
  void read() const {
    auto& self = const_cast<Guarded&>(*this);
    self.readers.fetch_add(1);
    CHECK_EQ(writers.load(), 0);
    self.readers.fetch_sub(1);
  }
};

// A gate that behaviors wait at: it keeps a worker busy until the test opens it.
struct Gate {
  std::atomic<bool> open{false};
  std::atomic<int> waiting{0};
  void wait() {
    waiting.fetch_add(1);
    check::until([this] { return open.load(); });
  }
  void await(int n) {
    check::until([this, n] { return waiting.load() >= n; });
  }
};

// Prepares a behavior without scheduling it, as batches do. Its result, an int, goes to *result if that is given. The
// handles must live until it is scheduled.
template <class Body, class... Args>
Behavior* make_behavior(Runtime& runtime, cown<int>* result, Body body, const Args&... args) {
  auto* payload = new detail::Payload<int>();
  cown<int> handle(payload);
  auto with_result = [body = std::move(body)](auto&&... values) mutable {
    body(values...);
    return 0;
  };
  Behavior* behavior =
      detail::TypedBehavior<decltype(with_result), Args...>::make(std::move(with_result), payload, args...);
  behavior->scope = &runtime.scheduler().root();
  Scheduler::count_in(Runtime::here(), *behavior->scope);
  if (result) *result = handle;
  return behavior;
}

}  // namespace support
