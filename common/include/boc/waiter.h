// A thread outside the workers that takes its turn in the queues of some cowns and then holds them itself.
#pragma once

#include "boc/behavior.h"

namespace boc {

// state, by whom: WAITING  -> GRANTING   by whoever dispatches the behavior (CAS against ABANDONED)
//                 GRANTING -> READY      by the same, and its last access: the waiter may be gone right after that
//                                        (release; partner: the acquire in ready())
//                 WAITING  -> ABANDONED  by the waiting thread; the dispatcher then releases and retires the behavior
class Waiter {
 public:
  bool ready() const noexcept { return state_.load(acquire) == READY; }

  // Sleeps until the cowns are held or the slice is over.
  bool wait_for(std::chrono::nanoseconds slice) {
    if (ready()) return true;
    parker_.park_for(slice);
    await_granter();
    return ready();
  }

  // The thread gives up. False: the cowns came just now, and must be released as usual. True: the waiter and its
  // behavior belong to the queues from here on; the thread must not touch them again.
  bool abandon() noexcept {
    uint32_t expected = WAITING;
    if (state_.compare_exchange_strong(expected, ABANDONED, acq_rel, acquire)) return true;
    await_granter();
    return false;
  }

  // By the dispatcher. False: abandoned.
  bool grant() noexcept {
    uint32_t expected = WAITING;
    if (!state_.compare_exchange_strong(expected, GRANTING, acq_rel, acquire)) return false;
    parker_.unpark();
    state_.store(READY, release);
    return true;
  }

 private:
  enum : uint32_t { WAITING, GRANTING, READY, ABANDONED };

  void await_granter() noexcept {
    spin_until([this] { return state_.load(acquire) != GRANTING; });
  }

  atomic<uint32_t> state_{WAITING};
  Parker parker_;
};

}  // namespace boc
