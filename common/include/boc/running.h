// Which scope a thread runs a behavior of. Whoever waits for a cancelled scope waits only for what has begun:
// the dropped ones may keep their places in queues for long, behind cowns that others hold.
#pragma once

#include "boc/scope.h"

namespace boc {

// Invariants
//   N1  begin() looks at cancelled() and enters the scope in one step: whoever cancelled before it looks at within()
//       either finds the behavior running or it never begins.
//   N2  The scope is entered only while its behavior is pending, so it is there while the lock is held.
class Running {
 public:
  // False: the scope is cancelled, and the behavior must be dropped.
  bool begin(Scope& scope) noexcept {
    std::lock_guard guard(lock_);
    if (scope.cancelled()) return false;
    scope_ = &scope;
    return true;
  }

  // Before the behavior is counted out.
  void end(Scope& scope) noexcept {
    {
      std::lock_guard guard(lock_);
      scope_ = nullptr;
    }
    if (scope.cancelled()) scope.nudge_all();
  }

  bool within(const Scope& scope) noexcept {
    std::lock_guard guard(lock_);
    return scope_ && scope_->within(&scope);
  }

 private:
  SpinLock lock_;
  Scope* scope_ = nullptr;
};

}  // namespace boc
