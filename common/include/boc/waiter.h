// A thread outside the workers that takes its turn in the queues of some cowns and then holds them itself.
#pragma once

#include "boc/behavior.h"

namespace boc {

// state, by whom: WAITING  -> GRANTING   by whoever dispatches the behavior (CAS against ABANDONED)
//                 GRANTING -> READY      by the same, and its last access: the waiter may be gone right after that
//                                        (release; partner: the acquire in ready())
//                 WAITING  -> ABANDONED  by the waiting thread; the dispatcher then releases and retires the behavior
//
// A waiter for several cowns that gives up must not keep those that it has until the others come. So it has a share of
// its own in each of its requests:
//
// Invariants
//   V1  A share goes ASKED -> GIVEN by the granter of the request, or ASKED -> GIVEN_UP by the waiting thread, each in
//       one exchange. Whoever comes second releases the request, at once.
//   V2  The granter of a request that was given up hands it to settle() (Outcome::given_up); the behavior is counted
//       down after the release. So at 0 each request has been released, or will be by the thread in abandon().
//   V3  Requests that were given up are released under one lock, and marked: Scheduler::blocks(), which relies on
//       nothing ending early, holds it too and passes over them.
//   V4  The dispatcher of an abandoned behavior and the thread that abandoned it both call leave(); the second retires.
class Waiter {
 public:
  struct Share {
    enum : uint8_t { ASKED, GIVEN, GIVEN_UP };
    atomic<uint8_t> state{ASKED};
    bool released = false;    // V3
    Request* next = nullptr;  // in Outcome::given_up

    // By the waiting thread, under the lock. True: the cown had come, and is to be released by the caller.
    bool give_up() noexcept {
      // Both sides acq_rel: the second sees what the first did.
      released = state.exchange(GIVEN_UP, acq_rel) == GIVEN;
      return released;
    }
  };

  // One for each request, in their order; null for a single one, which the dispatcher releases.
  Share* shares = nullptr;

  static Share& share_of(Request& request) noexcept {
    Behavior& behavior = *request.behavior;
    return behavior.waiter->shares[&request - behavior.requests];
  }

  // By the granter. False: given up, and put on the list.
  bool accepts(Request& request, Outcome& outcome) noexcept {
    if (!shares) return true;
    Share& share = share_of(request);
    if (share.state.exchange(Share::GIVEN, acq_rel) == Share::ASKED) return true;
    share.next = outcome.given_up;
    outcome.given_up = &request;
    return false;
  }

  // V4. True: nobody else uses it any more.
  bool leave() noexcept { return !shares || left_.exchange(true, acq_rel); }

  bool ready() const noexcept { return state_.load(acquire) == READY; }

  // Sleeps until the cowns are held or the slice is over.
  bool wait_for(std::chrono::nanoseconds slice) {
    if (ready()) return true;
    parker_.park_for(slice);
    await_granter();
    return ready();
  }

  // Wakes the waiting thread without reason, now or as soon as it sleeps. Not once the waiter may be gone.
  void nudge() noexcept { parker_.unpark(); }

  // The first step of Scheduler::abandon(), which is for threads that give up. False: the cowns came just
  // now, and must be released as usual. True: the waiter and its behavior belong to the queues from here on;
  // the thread must not touch them again.
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
  atomic<bool> left_{false};
  Parker parker_;
};

}  // namespace boc
