#include "boc/strands.h"

#include <algorithm>
#include <system_error>

#include "boc/scheduler.h"

namespace boc {

void StrandList::push(Strand& strand) noexcept {
  strand.next_ = nullptr;
  (last ? last->next_ : first) = &strand;
  last = &strand;
}

void StrandList::push_front(Strand& strand) noexcept {
  strand.next_ = first;
  first = &strand;
  if (!last) last = &strand;
}

Strand* StrandList::pop() noexcept {
  Strand* strand = first;
  if (strand) {
    first = strand->next_;
    if (!first) last = nullptr;
  }
  return strand;
}

bool StrandList::remove(Strand& strand) noexcept {
  Strand* before = nullptr;
  for (Strand* s = first; s; before = s, s = s->next_) {
    if (s != &strand) continue;
    (before ? before->next_ : first) = s->next_;
    if (last == s) last = before;
    return true;
  }
  return false;
}

void StrandList::append(StrandList& other) noexcept {
  if (other.empty()) return;
  (last ? last->next_ : first) = other.first;
  last = other.last;
  other = {};
}

void Strand::resume() noexcept {
  if (!make_ready()) return;
  if (blocks_) {
    baton_.unpark();
  } else {
    worker_.strands().post(*this);
  }
}

void Strands::post(Strand& ready) noexcept {
  Strand* head = inbox_.load(relaxed);
  do {
    ready.next_ = head;
  } while (!inbox_.compare_exchange_weak(head, &ready, release, relaxed));  // partner: the acquire in collect()
  worker_.nudge();  // W3
}

bool Strands::due() const noexcept {
  return timers_.begin()->first <= std::chrono::steady_clock::now();
}

std::chrono::nanoseconds Strands::time_left() const noexcept {
  return std::max(timers_.begin()->first - std::chrono::steady_clock::now(), Deadline::duration::zero());
}

void Strands::collect() noexcept {
  if (inbox_.load(relaxed)) {
    StrandList arrived;
    for (Strand* s = inbox_.exchange(nullptr, acquire); s;) {
      Strand* next = s->next_;
      arrived.push_front(*s);  // the inbox has the last one first
      s = next;
    }
    ready_.append(arrived);
  }
  while (!timers_.empty() && due()) {
    Strand& strand = *timers_.begin()->second;
    timers_.erase(timers_.begin());
    strand.timed_ = false;
    if (!strand.make_ready()) continue;  // somebody was quicker
    strand.timed_out_ = true;
    ready_.push(strand);
  }
}

Strand* Strands::next_ready() noexcept {
  while (Strand* strand = ready_.pop()) {
    if (!blocker_ || strand == blocker_ || !strand->is_fiber()) return strand;
    held_back_.push(*strand);
  }
  return nullptr;
}

bool Strands::go_on() noexcept {
  if (over_) return false;
  const bool away = misplaced();
  if (!away && ++streak_ > STREAK_CAP) {
    streak_ = 0;
    return true;  // new work in between
  }
  collect();
  Strand* next = next_ready();
  if (!next && away) next = next_for_loop();
  if (!next) return true;
  worker_.give_credits_back();  // W2
  rest(*current_);
  switch_to(*next);
  return !over_;
}

void Strands::rest(Strand& strand) noexcept {
  (strand.is_fiber() ? idle_fibers_ : idle_threads_).push_front(strand);
}

Strand* Strands::next_for_loop() noexcept {
  streak_ = 0;
  Strand* idle = occupant_ ? nullptr : idle_fibers_.pop();
  if (!idle) idle = idle_threads_.pop();
  return idle ? idle : make();
}

Woken Strands::suspend(Deadline deadline, bool leave) noexcept {
  Strand& self = *current_;
  BOC_INVARIANT(!self.blocks_, "F3");
  collect();
  if (ready_.remove(self)) return ended_wait(self);
  decltype(timers_)::iterator timer;
  if (deadline != NO_DEADLINE) {
    try {
      timer = timers_.emplace(deadline, &self);
    } catch (const std::bad_alloc&) {
      end_wait();
      return Woken::FAILED;
    }
    self.timed_ = true;
  }
  if (self.is_fiber() && !leave) (occupant_ ? blocker_ : occupant_) = &self;
  Strand* next = ++streak_ <= STREAK_CAP ? next_ready() : nullptr;
  if (!next) next = next_for_loop();
  if (next) {
    worker_.give_credits_back();  // W2
    waiting_.fetch_add(1, seq_cst);
    switch_to(*next);
    waiting_.fetch_sub(1, seq_cst);
  }
  if (occupant_ == &self) occupant_ = nullptr;
  if (blocker_ == &self) {
    blocker_ = nullptr;
    ready_.append(held_back_);
  }
  if (self.timed_) timers_.erase(timer);
  self.timed_ = false;
  if (next) return ended_wait(self);
  end_wait();
  return Woken::FAILED;
}

Woken Strands::block(Deadline deadline) noexcept {
  Strand& self = *current_;
  BOC_INVARIANT(self.blocks_, "F3");
  Backend& backend = worker_.scheduler().backend();
  worker_.give_credits_back();  // W2
  blocked_.store(true, seq_cst);
  backend.before_park(worker_);
  if (deadline == NO_DEADLINE) {
    self.baton_.park();
  } else if (!self.baton_.park_for(deadline - std::chrono::steady_clock::now())) {
    if (self.make_ready()) {
      self.timed_out_ = true;
    } else {
      self.baton_.park();  // the permit is on its way
    }
  }
  backend.after_park(worker_);
  blocked_.store(false, seq_cst);
  return ended_wait(self);
}

Woken Strands::ended_wait(Strand& self) noexcept {
  self.state_.store(Strand::State::RUNNING, relaxed);
  return std::exchange(self.timed_out_, false) ? Woken::TIMED_OUT : Woken::RESUMED;
}

void Strands::end_wait() noexcept {
  Strand& self = *current_;
  Strand::State waiting = Strand::State::WAITING;
  if (self.state_.compare_exchange_strong(waiting, Strand::State::RUNNING, seq_cst)) return;
  // Somebody has made it ready: that must not be found later.
  if (self.blocks_) {
    self.baton_.park();
  } else {
    spin_until([&] {
      collect();
      return ready_.remove(self);
    });
  }
  ended_wait(self);
}

Strand* Strands::make() noexcept {
  Backend& backend = worker_.scheduler().backend();
  const bool may_be_fiber = Fiber::supported() && current_->is_fiber() && !occupant_;  // F2, F5
  const size_t stack = may_be_fiber ? backend.fiber_stack() : 0;
  try {
    auto made = std::make_unique<Strand>(worker_, stack != 0);
    Strand& strand = *made;
    std::unique_lock guard(mutex_);
    all_.push_back(std::move(made));
    guard.unlock();
    const auto enter = [](void* argument) {
      auto& begun = *static_cast<Strand*>(argument);
      begun.worker().strands().run(begun);
    };
    // Where addresses are limited, a smaller stack may still be had.
    auto make_stack = [&] {
      return strand.stack_.make(stack, enter, &strand) || strand.stack_.make(stack / 8, enter, &strand);
    };
    const bool good = stack ? make_stack() && backend.make_strand(worker_, strand) : make_thread(strand);
    if (good) return &strand;
    guard.lock();
    all_.pop_back();
  } catch (const std::bad_alloc&) {
  }
  return nullptr;
}

bool Strands::make_thread(Strand& strand) noexcept {
  struct Report {
    Parker given;
    bool good = false;
  } report;
  Backend& backend = worker_.scheduler().backend();
  auto live = [this, &backend, &strand, &report] {
    backend.thread_started(worker_);
    const bool good = report.good = backend.make_strand(worker_, strand);
    report.given.unpark();  // the report may be gone now
    if (good) {
      strand.baton_.park();
      run(strand);
    }
    backend.thread_ended(worker_);
  };
  try {
    strand.thread_ = std::thread(live);
  } catch (const std::exception&) {  // no memory, or no thread
    return false;
  }
  // Detached: the new thread state may need all others to stop for a moment.
  backend.before_park(worker_);
  report.given.park();
  backend.after_park(worker_);
  if (!report.good) strand.thread_.join();
  return report.good;
}

void Strands::run(Strand& strand) noexcept {
  worker_.scheduler().backend().enter_strand(worker_, strand);
  worker_.loop_in_strand();
  if (!std::exchange(over_, true)) {  // F6
    rest(strand);
    idle_fibers_.remove(root_);
    switch_to(root_);
  }
  worker_.scheduler().backend().end_strand(worker_, strand);
  switch_to(root_, true);
}

void Strands::leave_loop() noexcept {
  if (all_.empty()) return;
  BOC_INVARIANT(current_ == &root_ && waiting_.load(relaxed) == 0, "F6");
  over_ = true;
  while (Strand* strand = idle_fibers_.pop()) switch_to(*strand);
  while (Strand* strand = idle_threads_.pop()) {
    switch_to(*strand);
    strand->thread_.join();
  }
  over_ = false;
  root_.data.reset();
  std::lock_guard guard(mutex_);
  all_.clear();
}

// `last`: the current strand has ended, and its stack or thread goes.
void Strands::switch_to(Strand& to, bool last) noexcept {
  Strand& from = *current_;
  Backend& backend = worker_.scheduler().backend();
  if (!last) backend.leave_strand(worker_, from);
  current_ = &to;
  if (from.is_fiber() && to.is_fiber()) {
    Fiber::jump(from.stack_, to.stack_, last);
  } else {
    give_to(to);
    if (last) return;
    await_turn(from);
  }
  backend.enter_strand(worker_, from);
}

void Strands::give_to(Strand& to) noexcept {
  if (!to.is_fiber()) return to.baton_.unpark();
  turn_ = &to;
  root_.baton_.unpark();
}

void Strands::await_turn(Strand& from) noexcept {
  if (!from.is_fiber()) return from.baton_.park();
  root_.baton_.park();
  if (turn_ != &from) Fiber::jump(from.stack_, turn_->stack_, false);
}

bool Strands::runs_in(const Scope& scope) noexcept {
  if (root_.running.within(scope)) return true;
  std::lock_guard guard(mutex_);
  return std::any_of(all_.begin(), all_.end(), [&](auto& strand) { return strand->running.within(scope); });
}

}  // namespace boc
