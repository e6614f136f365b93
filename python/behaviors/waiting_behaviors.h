// Behaviors that wait for a message. They keep their cowns meanwhile, so a cancelled scope and the end of
// the program give their waits up.
#pragma once

#include <optional>

#include "boc/scope.h"
#include "message_waiter.h"

namespace boc::py {

// While it lives the wait is on the list. Made and destroyed by the waiter's own thread, attached.
//   WB1  A waiter on the list may be claimed by whoever has the list's lock, who also ends it under that lock: it is
//        there until then, as its thread needs the lock to leave.
class WaitingBehavior {
 public:
  // `scope` may be null. If it is cancelled the wait has ended when this returns.
  WaitingBehavior(MessageWaiter& waiter, const Scope* scope, bool forever) noexcept;
  ~WaitingBehavior();
  WaitingBehavior(const WaitingBehavior&) = delete;
  WaitingBehavior& operator=(const WaitingBehavior&) = delete;

 private:
  friend struct WaitingList;

  MessageWaiter& waiter_;
  const Scope* const scope_;
  const bool forever_;
  struct WaitingList* const list_;  // of the process that it was made in
  WaitingBehavior* previous_ = nullptr;
  WaitingBehavior* next_ = nullptr;
};

// Cancels the scope, and the waits of its behaviors.
void cancel_scope(Scope& scope) noexcept;
// Gives all waits up that have no time-out.
void give_up_waiting() noexcept;

// Nothing: no behavior waits, or one is about to go on, or has a time-out and will. Else how many waits there have been: if
// that is the same at two moments, nobody has gone on in between.
std::optional<uint64_t> endless_waits() noexcept;

void waiting_behaviors_after_fork() noexcept;

}  // namespace boc::py
