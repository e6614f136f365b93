// Workers that stay when the scheduler stops: the orders that start() and the stops give them, and what they do between
// two periods.
#include <algorithm>

#include "boc/pool.h"
#include "boc/scheduler.h"

namespace boc {

void Scheduler::start_kept(unsigned workers) {
  const Roster::List& kept = roster_.list();
  const unsigned resumed = static_cast<unsigned>(std::min<size_t>(workers, kept.size()));
  Roster::Owned made;
  unsigned told = 0;
  count_.store(0, relaxed);
  try {
    idle_.reserve(std::max<size_t>(workers, kept.size()));
    roster_.make_room(workers);
    for (size_t i = kept.size(); i < workers; ++i) {
      made.push_back(std::make_unique<Worker>(*this, static_cast<unsigned>(i)));
    }
    for (auto& worker : made) worker->thread_ = std::thread(&Worker::live, worker.get());
    for (; told < resumed; ++told) kept[told]->give(Worker::Order::PREPARE);
    await_reports(workers);
    roster_.add(made);
  } catch (...) {
    if (told) dismiss(told);
    for (auto& worker : made) {
      if (!worker->thread_.joinable()) continue;
      worker->give(Worker::Order::END);
      worker->thread_.join();
    }
    roster_.bury(made);
    reports_ = 0;
    start_error_ = nullptr;
    throw;
  }
  const Roster::List& all = roster_.list();
  for (Worker* worker : all) worker->stats_.reset();
  count_.store(workers, relaxed);
  quit_.store(false, relaxed);
  serving_.store(true, seq_cst);
  state_.store(RUNNING, seq_cst);
  for (unsigned i = 0; i < workers; ++i) {
    all[i]->alone_ = workers == 1;
    all[i]->active_.store(true, relaxed);
    all[i]->give(Worker::Order::RUN);
  }
  for (size_t i = workers; i < all.size(); ++i) all[i]->wake();  // something may be fixed to it (K3)
}

void Scheduler::dismiss(unsigned workers) noexcept {
  const Roster::List& kept = roster_.list();
  {
    std::unique_lock lock(start_mutex_);
    serving_.store(false, seq_cst);
    started_.wait(lock, [this] { return served_ == 0; });  // K3
  }
  for (unsigned i = 0; i < workers; ++i) {
    kept[i]->active_.store(false, relaxed);
    kept[i]->order_.store(Worker::Order::REST, release);  // partner: the acquire in rest()
  }
  quit_.store(true, release);  // and whoever sees that finds its order
  for (unsigned i = 0; i < workers; ++i) kept[i]->wake();
  await_reports(workers);
}

bool Scheduler::begin_serving() noexcept {
  std::lock_guard lock(start_mutex_);
  if (!serving_.load(relaxed)) return false;
  ++served_;
  return true;
}

void Scheduler::end_serving() noexcept {
  std::lock_guard lock(start_mutex_);
  --served_;
  started_.notify_one();
}

void Scheduler::end() noexcept {
  const Roster::List& kept = roster_.list();
  if (!homes_ || kept.empty()) return;
  for (Worker* worker : kept) worker->give(Worker::Order::END);
  for (Worker* worker : kept) worker->thread_.join();
  count_.store(0, relaxed);
  roster_.retire();  // K1: first, so that nothing more is sent to them
  for (Worker* worker : kept) {
    worker->hand_over();
    while (Behavior* b = worker->fixed_.pop()) {
      b->fixed = false;
      inject(*b);
    }
  }
}

void Worker::live() noexcept {
  Backend& backend = scheduler_.backend_;
  off_duty_ = true;
  if (!begin_period(&Backend::worker_started)) return;
  bool in_period = true;
  for (Order order = Order::PREPARE;;) {
    order = rest(order);
    if (order == Order::PREPARE) {
      in_period = begin_period(&Backend::worker_resumed);
    } else if (order == Order::RUN) {
      off_duty_ = false;
      work_in_period();
      off_duty_ = true;
    } else {
      if (in_period) backend.worker_stopping(*this);
      in_period = false;
      give_credits_back();
      if (order == Order::END) break;
      pool_trim();
      scheduler_.report(nullptr);
    }
  }
  if (backend.has_errands(*this)) run_errands();
  backend.worker_ending(*this);
  give_credits_back();
}

bool Worker::has_rest_work() const noexcept {
  if (scheduler_.backend_.has_errands(*this) || !queue_.empty() || !heavy_.empty()) return true;
  return !fixed_.empty() && scheduler_.serving_.load(relaxed);
}

Worker::Order Worker::rest(Order seen) noexcept {
  IdleSet& idle = scheduler_.idle_;
  for (;;) {
    // Acquire: partner of the release in give().
    const Order order = order_.load(acquire);
    if (order != seen) return order;
    if (scheduler_.backend_.has_errands(*this)) run_errands();
    hand_over();
    serve_fixed();
    asleep_.store(true, relaxed);  // W3
    idle.announce_rest(parker_);
    if (order_.load(relaxed) != seen || has_rest_work()) {
      idle.cancel_rest(parker_);
      stats_.parks_cancelled.add();
    } else {
      stats_.parked.add();
      scheduler_.backend_.before_park(*this);
      parker_.park();
      scheduler_.backend_.after_park(*this);
    }
    end_sleep();
  }
}

void Worker::hand_over() noexcept {
  // Sent here by somebody who thought that this worker has a part in the period (H3).
  for (WorkQueue* queue : {&queue_, &heavy_}) {
    while (Behavior* behavior = queue->pop()) {
      behavior->heavy = false;
      scheduler_.inject(*behavior);
    }
  }
}

void Worker::serve_fixed() noexcept {
  if (fixed_.empty() || !scheduler_.begin_serving()) return;
  const Order seen = order_.load(relaxed);
  while (order_.load(relaxed) == seen) {
    Behavior* behavior = fixed_.pop();
    if (!behavior) break;
    execute<true>(*behavior);
    if (scheduler_.backend_.has_errands(*this)) run_errands();
  }
  give_credits_back();
  scheduler_.end_serving();
}

}  // namespace boc
