#include "boc/scheduler.h"

#include <utility>

#include "boc/pool.h"
#include "grant.h"

namespace boc {

Scheduler::Scheduler(Backend& backend) : backend_(backend), root_(new Scope(nullptr)) {}

Scheduler::~Scheduler() {
  if (running()) {
    root_->cancel();
    while (!try_stop()) root_->wait_for(std::chrono::milliseconds(50));
  }
  root_->unref();
}

void Scheduler::start(unsigned workers) {
  workers_.clear();
  idle_.reserve(workers);
  quit_.store(false, relaxed);
  begun_ = 0;
  start_error_ = nullptr;
  try {
    for (unsigned i = 0; i < workers; ++i) workers_.push_back(std::make_unique<Worker>(*this, i, workers == 1));
    for (auto& worker : workers_) worker->thread_ = std::thread(&Worker::loop, worker.get());
    std::unique_lock lock(start_mutex_);
    started_.wait(lock, [&] { return begun_ == workers; });
    if (start_error_) std::rethrow_exception(std::exchange(start_error_, nullptr));
  } catch (...) {
    join_workers();
    workers_.clear();
    throw;
  }
  state_.store(RUNNING, seq_cst);
}

void Scheduler::worker_began(std::exception_ptr error) noexcept {
  std::lock_guard lock(start_mutex_);
  ++begun_;
  if (error && !start_error_) start_error_ = std::move(error);
  started_.notify_one();
}

bool Scheduler::try_stop() {
  state_.store(STOPPING, seq_cst);  // H1: announced before the count is looked at
  if (!root_->idle()) {
    state_.store(RUNNING, seq_cst);
    return false;
  }
  join_workers();
  state_.store(STOPPED, seq_cst);
  pool_trim();
  return true;
}

void Scheduler::join_workers() noexcept {
  quit_.store(true, release);
  full_fence();  // partner: announce_sleep(), after which workers look at stopping()
  idle_.notify_all();
  for (auto& worker : workers_) {
    if (worker->thread_.joinable()) worker->thread_.join();
  }
  rescue_leftovers();
}

void Scheduler::rescue_leftovers() noexcept {
  // A destructor that ran in worker_stopping() may have scheduled something.
  for (auto& worker : workers_) {
    while (Behavior* behavior = worker->queue_.pop()) injector_.push(behavior);
    worker->give_credits_back();
  }
}

bool Scheduler::has_work() const noexcept {
  if (!injector_.empty()) return true;
  for (auto& worker : workers_) {
    if (!worker->queue_.empty()) return true;
  }
  return false;
}

void Scheduler::schedule(Worker* here, Behavior& behavior) noexcept {
  Outcome outcome;
  boc::schedule(behavior, outcome);
  flush(here, outcome);
}

void Scheduler::schedule_batch(Worker* here, std::span<Behavior* const> behaviors) {
  if (behaviors.size() == 1) return schedule(here, *behaviors[0]);
  size_t count = 0;
  for (Behavior* b : behaviors) count += b->request_count;
  std::vector<Request*> chains(count);
  Outcome outcome;
  boc::schedule_batch(behaviors, chains, outcome);
  flush(here, outcome);
}

bool Scheduler::try_schedule(Worker* here, Behavior& behavior) noexcept {
  Outcome outcome;
  if (!boc::try_schedule(behavior, outcome)) return false;
  flush(here, outcome);
  return true;
}

void Scheduler::finish(Worker* here, Behavior& behavior) noexcept {
  Scope* scope = behavior.scope;
  Outcome outcome;
  release_requests(behavior, outcome);
  backend_.retire(behavior);
  flush(here, outcome);
  if (!scope) return;
  if (here) {
    here->count_out(scope);
  } else {
    scope->give_back(1);
  }
}

void Scheduler::satisfy(Worker* here, Behavior& behavior) noexcept {
  Outcome outcome;
  resolve(behavior, 1, outcome);
  flush(here, outcome);
}

bool Scheduler::run_main(Worker& main_worker) noexcept {
  Behavior* behavior = main_lane_.pop();
  if (!behavior) return false;
  const bool cancelled = behavior->scope && behavior->scope->cancelled();
  main_worker.stats().executed.add();
  backend_.run(main_worker, *behavior, cancelled);
  finish(nullptr, *behavior);
  return true;
}

void Scheduler::settle(Outcome& outcome) noexcept {
  // The common case first: all of them are for the workers.
  bool plain = true;
  for (Behavior* b = outcome.ready.first; b; b = b->next) plain = plain && b->lane == Lane::WORKERS;
  if (plain) return;
  BehaviorList workers;
  // Abandoned waiters make others ready in turn: a loop, as there may be many in a row.
  while (Behavior* b = outcome.ready.pop()) {
    if (b->lane == Lane::WORKERS) {
      workers.push(b);
    } else if (b->lane == Lane::MAIN) {
      main_lane_.push(b);
    } else if (!b->waiter->grant()) {
      release_requests(*b, outcome);
      backend_.retire(*b);
    }
  }
  outcome.ready = workers;
}

void Scheduler::flush(Worker* here, Outcome& outcome) noexcept {
  settle(outcome);
  if (here) {
    here->enqueue(outcome.ready);
  } else {
    while (Behavior* b = outcome.ready.pop()) {
      injector_.push(b);
      notify();
    }
  }
  drop(outcome.dead);
}

void Scheduler::drop(Cown* dead) noexcept {
  while (dead) {
    Cown* next = dead->next_dead;
    backend_.drop(dead);
    dead = next;
  }
}

}  // namespace boc
