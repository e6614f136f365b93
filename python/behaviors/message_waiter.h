// Somebody who waits for the next message of some tags, and sleeps meanwhile in a way of its own.
#pragma once

#include "boc/sync.h"

namespace boc::py {

struct Message;
struct Registration;

// state, by whom: WAITING -> CLAIMED  by whoever ends the wait: the sender of a message, who gives up on its behalf (a
//                                     cancelled scope, a timer), or the waiter itself; by compare-and-swap: one of them
//                 CLAIMED -> ENDED    by the same in end(), its last access: the waiter may be gone right after that
//                                     (release; partner: the acquire in ended())
//
// Invariants
//   MW1  wake() is called at most once by end(), from any thread, attached or not. Others may call it too, without
//        reason. Where it leads to the waiter's going on, that one sees ended() soon: end() does nothing else after it.
//   MW2  `given` and `tag` are written by who has claimed the waiter, before end().
class MessageWaiter {
 public:
  MessageWaiter() = default;
  MessageWaiter(const MessageWaiter&) = delete;
  MessageWaiter& operator=(const MessageWaiter&) = delete;

  // Ends the sleep that the waiter is in, or the next.
  virtual void wake() noexcept = 0;

  bool waiting() const noexcept { return state_.load(acquire) == WAITING; }
  // True: the caller ends the wait, and calls end() if it is not the waiter itself.
  bool claim() noexcept {
    uint32_t expected = WAITING;
    return state_.compare_exchange_strong(expected, CLAIMED, acq_rel, acquire);
  }
  void end() noexcept {
    wake();
    state_.store(ENDED, release);
  }
  bool ended() const noexcept { return state_.load(acquire) == ENDED; }
  // By the waiter: whoever has claimed it is about to end().
  void await_end() const noexcept {
    spin_until([this] { return ended(); });
  }

  Message* given = nullptr;  // null at the end: it was given up
  unsigned tag = 0;          // the message's, as a number in the waiter's list

 protected:
  ~MessageWaiter() = default;

 private:
  enum : uint32_t { WAITING, CLAIMED, ENDED };
  atomic<uint32_t> state_{WAITING};
};

}  // namespace boc::py
