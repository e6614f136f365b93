#include "boc/worker.h"

#include <algorithm>
#include <utility>

#include "boc/scheduler.h"

namespace boc {

Worker::Worker(Scheduler& scheduler, unsigned index, bool alone) noexcept
    : scheduler_(scheduler), index_(index), homes_(scheduler.homes_), alone_(alone) {}

void Worker::loop() noexcept {
  if (!begin_period(&Backend::worker_started)) return;
  work_in_period();
  BOC_INVARIANT(queue_.empty(), "W2");
  scheduler_.backend_.worker_stopping(*this);
}

bool Worker::begin_period(void (Backend::*begin)(Worker&)) noexcept {
  try {
    (scheduler_.backend_.*begin)(*this);
    scheduler_.report(nullptr);
    return true;
  } catch (...) {
    scheduler_.report(std::current_exception());
    return false;
  }
}

template <bool HOMES>
void Worker::work() noexcept {
  for (;;) {
    if (strands_.interrupts()) [[unlikely]] {
      if (next_) {
        put_next_back();  // W1
        offer();
      }
      if (!strands_.go_on()) break;
    }
    Behavior* behavior = run_local<HOMES>();
    if (!behavior) behavior = steal();
    if (!behavior) behavior = HOMES ? park_with_homes() : park();
    if (behavior) {
      execute<HOMES>(*behavior);
    } else if (!strands_.busy()) {
      break;
    }
  }
  BOC_INVARIANT(next_ == nullptr && credits_ == 0, "W2");
}

void Worker::work_in_period() noexcept {
  loop_in_strand();
  strands_.leave_loop();
}

template <bool HOMES>
Behavior* Worker::run_local() noexcept {
  if (HOMES && scheduler_.backend_.has_errands(*this)) run_errands();
  if (++tick_ % INJECTOR_PERIOD == 0) {
    // Its own work must not keep what came from outside waiting.
    if (Behavior* behavior = take_from_injector()) {
      put_next_back();
      offer();
      return behavior;
    }
  }
  if (tick_ % BREATH_PERIOD == 0) scheduler_.backend_.breathe(*this);
  if (next_) {
    Behavior* behavior = next_;
    next_ = nullptr;
    if (++streak_ < STREAK_CAP || (HOMES ? nothing_local() : queue_.empty())) {
      stats_.from_next.add();
      return behavior;
    }
    stats_.streaks_cut.add();
    queue_for(*behavior).push(behavior);
    offer();
  }
  streak_ = 0;
  Behavior* behavior = HOMES ? pop_local() : queue_.pop();
  if (behavior) stats_.from_queue.add();
  return behavior;
}

void Worker::put_next_back() noexcept {
  if (next_) queue_for(*next_).push(next_);
  next_ = nullptr;
}

Behavior* Worker::take_from_injector() noexcept {
  Injector& injector = scheduler_.injector_;
  Behavior* behavior = injector.pop();
  if (!behavior) return nullptr;
  stats_.from_injector.add();
  // A few more for later, but only while there are enough for the others too: each look there costs.
  size_t more = std::min<size_t>(15, injector.size() / (2 * scheduler_.worker_count()));
  BehaviorList list;
  size_t count = 0;
  while (count < more) {
    Behavior* extra = injector.pop();
    if (!extra) break;
    list.push(extra);
    ++count;
  }
  queue_.push(list, count);
  return behavior;
}

Behavior* Worker::search() noexcept {
  // Its own queue too: giving credits back may have ended a scope, and with that made something ready here.
  if (Behavior* behavior = homes_ ? pop_local() : queue_.pop()) {
    stats_.from_queue.add();
    return behavior;
  }
  if (Behavior* behavior = take_from_injector()) return behavior;
  const Roster::List& workers = scheduler_.roster_.list();
  const unsigned n = static_cast<unsigned>(workers.size());
  for (unsigned i = 0; i < n; ++i) {
    victim_ = (victim_ + 1) % n;
    Worker& victim = *workers[victim_];
    if (&victim == this) continue;
    stats_.steal_attempts.add();
    if (size_t taken = victim.queue_.steal(queue_, 64)) {
      stats_.stolen.add(taken);
      if (Behavior* behavior = queue_.pop()) return behavior;  // else another thief was quicker
    } else {
      stats_.steal_failures.add();
    }
  }
  return homes_ ? steal_heavy() : nullptr;
}

void Worker::end_search() noexcept {
  if (!scheduler_.idle_.end_search()) return;
  if (scheduler_.has_work() || (homes_ && scheduler_.has_heavy())) offer();
}

void Worker::offer() noexcept {
  if (!alone_ && scheduler_.notify()) stats_.wakes.add();
}

Behavior* Worker::steal() noexcept {
  give_credits_back();  // S1
  scheduler_.idle_.begin_search();
  Behavior* behavior = search();
  if (behavior) end_search();
  return behavior;  // null: still counted as searching, park() ends that
}

// On the list of sleepers, until it is woken or the next of its strands has no more time.
void Worker::doze(std::chrono::nanoseconds limit) noexcept {
  if (strands_.timed()) limit = std::min(limit, strands_.time_left());
  if (limit == std::chrono::nanoseconds::max()) {
    parker_.park();
  } else if (!parker_.park_for(limit)) {
    scheduler_.idle_.cancel_sleep(parker_);
  }
}

bool Worker::may_end() const noexcept {
  return scheduler_.stopping() && strands_.waiting() == 0;  // those that wait are woken by whoever stops for good
}

Behavior* Worker::park() noexcept {
  IdleSet& idle = scheduler_.idle_;
  for (;;) {
    asleep_.store(true, relaxed);  // W3
    idle.announce_sleep(parker_);
    if (scheduler_.has_work() || may_end() || strands_.busy()) {
      idle.cancel_sleep(parker_);
      stats_.parks_cancelled.add();
    } else {
      stats_.parked.add();
      scheduler_.backend_.before_park(*this);
      doze(std::chrono::nanoseconds::max());
      scheduler_.backend_.after_park(*this);
    }
    asleep_.store(false, relaxed);
    // Searching again, either way (I3).
    if (strands_.busy()) {
      end_search();
      return nullptr;
    }
    if (Behavior* behavior = search()) {
      end_search();
      return behavior;
    }
    if (may_end() && !scheduler_.has_work()) {
      end_search();
      return nullptr;
    }
  }
}

template <bool HOMES>
void Worker::execute(Behavior& behavior) noexcept {
  Scope* scope = behavior.scope;
  if (scope != credit_scope_) give_credits_back();  // W2: its body may take long
  stats_.executed.add();
  if (Request* result = behavior.result_request()) prefetch(result->cown);  // used when the body has ended
  if constexpr (HOMES) {
    const Scheduler::Ending ending = scheduler_.enter_and_run(*this, behavior, strands_.current().running);
    if (ending == Scheduler::Ending::REFUSED) return send_on(behavior);
    if (ending == Scheduler::Ending::DROPPED) stats_.cancelled.add();
  } else if (scheduler_.run_in_scope(*this, behavior, strands_.current().running)) {
    stats_.cancelled.add();
  }
  Outcome outcome;
  release_requests(behavior, outcome);
  scheduler_.backend_.retire(behavior);
  scheduler_.settle(outcome);
  if (outcome.dead && !scheduler_.drop_silently(outcome)) {
    enqueue(outcome.ready);  // W1: dropping a payload may run user code
    scheduler_.drop(outcome.dead);
  } else if constexpr (HOMES) {
    send_out(outcome.ready, true);
  } else {
    keep_next(outcome.ready);
  }
  count_out(scope);
}

// For kept.cpp. (That they are two is worth 5 ns per behavior to backends without homes.)
template void Worker::work<true>() noexcept;
template void Worker::execute<true>(Behavior&) noexcept;

void Worker::keep_next(BehaviorList& ready) noexcept {
  if (ready.empty()) return;
  stats_.scheduled.add();
  next_ = ready.pop();
  if (!ready.empty()) enqueue(ready);  // readers woken together run on different workers
}

void Worker::enqueue(BehaviorList& ready) noexcept {
  if (ready.empty()) return;
  if (homes_) [[unlikely]]
    return send_out(ready, false);
  size_t count = 0;
  for (Behavior* b = ready.first; b; b = b->next) ++count;
  stats_.scheduled.add(count);
  if (count == 1) {
    queue_.push(ready.pop());
  } else {
    queue_.push(ready, count);
  }
  offer();
}

void Worker::count_in(Scope& scope) noexcept {
  if (credit_scope_ == &scope && credits_ > 0) {
    --credits_;
  } else if (credits_ == 0) {
    scope.take(CREDIT_BLOCK);
    credit_scope_ = &scope;
    credits_ = CREDIT_BLOCK - 1;
  } else {
    scope.take(1);
  }
}

void Worker::count_out(Scope* scope) noexcept {
  if (!scope) return;
  if (credit_scope_ != scope) {
    give_credits_back();
    credit_scope_ = scope;
  }
  if (++credits_ >= 2 * CREDIT_BLOCK) {
    credits_ -= CREDIT_BLOCK;
    scope->give_back(CREDIT_BLOCK);
  }
}

void Worker::give_credits_back() noexcept {
  if (credits_ == 0) return;
  int64_t credits = credits_;
  credits_ = 0;
  credit_scope_->give_back(credits);  // the scope may be gone now (S2)
}

}  // namespace boc
