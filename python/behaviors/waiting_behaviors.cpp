#include "waiting_behaviors.h"

#include <mutex>

#include "compat.h"

namespace boc::py {

struct WaitingList {
  Mutex mutex;
  WaitingBehavior* first = nullptr;
  uint64_t entered = 0;

  template <class F>
  void give_up(F&& which) noexcept {
    std::lock_guard guard(mutex);
    for (WaitingBehavior* w = first; w; w = w->next_) {
      if (which(*w) && w->waiter_.claim()) w->waiter_.end();  // WB1
    }
  }
  void give_up_cancelled() noexcept {
    give_up([](const WaitingBehavior& w) { return w.scope_ && w.scope_->cancelled(); });
  }
  void give_up_endless() noexcept {
    give_up([](const WaitingBehavior& w) { return w.forever_; });
  }
  std::optional<uint64_t> endless() noexcept {
    std::lock_guard guard(mutex);
    for (WaitingBehavior* w = first; w; w = w->next_) {
      if (!w->forever_ || !w->waiter_.waiting()) return std::nullopt;
    }
    return first ? std::optional(entered) : std::nullopt;
  }
};

namespace {

WaitingList* the_list = new WaitingList;  // never destroyed: threads may still end after static destruction

}  // namespace

WaitingBehavior::WaitingBehavior(MessageWaiter& waiter, const Scope* scope, bool forever) noexcept
    : waiter_(waiter), scope_(scope), forever_(forever), list_(the_list) {
  {
    std::lock_guard guard(list_->mutex);
    next_ = list_->first;
    if (next_) next_->previous_ = this;
    list_->first = this;
    ++list_->entered;
  }
  // Who cancels looks at the list afterwards: it has found this one there, or the scope is seen to be cancelled here.
  if (scope_ && scope_->cancelled() && waiter_.claim()) waiter_.end();
}

WaitingBehavior::~WaitingBehavior() {
  if (list_ != the_list) return;  // the child of a fork
  std::lock_guard guard(list_->mutex);
  (previous_ ? previous_->next_ : list_->first) = next_;
  if (next_) next_->previous_ = previous_;
}

void cancel_scope(Scope& scope) noexcept {
  scope.cancel();
  the_list->give_up_cancelled();
}

void give_up_waiting() noexcept {
  the_list->give_up_endless();
}

std::optional<uint64_t> endless_waits() noexcept {
  return the_list->endless();
}

void waiting_behaviors_after_fork() noexcept {
  the_list = new WaitingList;
}

}  // namespace boc::py
