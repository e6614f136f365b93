// A thread outside the workers that takes its turn in the queues of some cowns and then holds them itself.
#pragma once

#include "boc/behavior.h"

namespace boc {

// state, by whom: WAITING -> READY   by whoever dispatches the behavior (release; partner: acquire in wait_for)
//                 WAITING -> ABANDONED  by the waiting thread; the dispatcher then releases and retires the behavior
class Waiter {
 public:
  bool ready() const noexcept { return state_.load(acquire) == READY; }

  // Sleeps until the cowns are held or the slice is over.
  bool wait_for(std::chrono::nanoseconds slice) {
    if (ready()) return true;
    parker_.park_for(slice);
    return ready();
  }

  // The thread gives up. False: the cowns came just now, and must be released as usual. True: the waiter and its
  // behavior belong to the queues from here on; the thread must not touch them again.
  bool abandon() noexcept {
    uint32_t expected = WAITING;
    return state_.compare_exchange_strong(expected, ABANDONED, acq_rel, acquire);
  }

  // By the dispatcher. False: abandoned.
  bool grant() noexcept {
    uint32_t expected = WAITING;
    if (!state_.compare_exchange_strong(expected, READY, acq_rel, acquire)) return false;
    parker_.unpark();
    return true;
  }

 private:
  enum : uint32_t { WAITING, READY, ABANDONED };
  atomic<uint32_t> state_{WAITING};
  Parker parker_;
};

}  // namespace boc
