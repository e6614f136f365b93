#include "boc/scheduler.h"

#include <algorithm>
#include <utility>

#include "boc/pool.h"
#include "grant.h"

namespace boc {

Scheduler::Scheduler(Backend& backend) : backend_(backend), homes_(backend.has_homes()), root_(new Scope(nullptr)) {}

Scheduler::~Scheduler() {
  if (running()) {
    root_->cancel();
    while (!try_stop()) root_->wait_for(std::chrono::milliseconds(50));
  }
  end();
  root_->unref();
}

void Scheduler::start(unsigned workers) {
  if (homes_) return start_kept(workers);
  count_.store(0, relaxed);
  roster_.clear();
  idle_.reserve(workers);
  quit_.store(false, relaxed);
  try {
    Roster::Owned made;
    for (unsigned i = 0; i < workers; ++i) made.push_back(std::make_unique<Worker>(*this, i, workers == 1));
    roster_.add(made);
    count_.store(workers, relaxed);
    for (Worker* worker : roster_.list()) worker->thread_ = std::thread(&Worker::loop, worker);
    await_reports(workers);
  } catch (...) {
    join_workers();
    count_.store(0, relaxed);
    roster_.clear();
    reports_ = 0;
    throw;
  }
  state_.store(RUNNING, seq_cst);
}

void Scheduler::report(std::exception_ptr error) noexcept {
  std::lock_guard lock(start_mutex_);
  ++reports_;
  if (error && !start_error_) start_error_ = std::move(error);
  started_.notify_one();
}

void Scheduler::await_reports(unsigned count) {
  std::unique_lock lock(start_mutex_);
  started_.wait(lock, [&] { return reports_ == count; });
  reports_ = 0;
  if (start_error_) std::rethrow_exception(std::exchange(start_error_, nullptr));
}

bool Scheduler::try_stop() {
  state_.store(STOPPING, seq_cst);  // H1: announced before the count is looked at
  if (!root_->idle()) {
    state_.store(RUNNING, seq_cst);
    return false;
  }
  if (homes_) {
    dismiss(worker_count());
  } else {
    join_workers();
  }
  state_.store(STOPPED, seq_cst);
  pool_trim();
  return true;
}

void Scheduler::stop_for_good() noexcept {
  const bool ran = state_.exchange(STOPPED, seq_cst) == RUNNING;
  if (!homes_) return join_workers();
  if (!ran) return;
  // What one worker ends may be fixed to another, so none of them can tell alone. Nothing new comes, and so it is over
  // once it is quiet.
  while (!all_quiet()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  dismiss(worker_count());
}

bool Scheduler::runs_in(const Scope& scope) noexcept {
  if (&scope == root_) return running() && !all_quiet();
  for (Worker* worker : roster_.list()) {
    if (worker->strands_.runs_in(scope)) return true;
  }
  return main_running_.within(scope);
}

bool Scheduler::all_quiet() const noexcept {
  for (Worker* worker : roster_.list()) {
    if (worker->strands_.waiting() != 0 || worker->strands_.blocked()) return false;
  }
  return quiet();
}

bool Scheduler::quiet() const noexcept {
  const Roster::List& workers = roster_.list();
  const size_t in_period = std::min<size_t>(worker_count(), workers.size());
  size_t kept = 0;  // by behaviors that wait with the whole thread
  size_t kept_in_period = 0;
  for (const Worker* worker : workers) {
    if (!worker->strands_.blocked()) continue;
    ++kept;
    kept_in_period += worker->index() < in_period;
  }
  const bool nobody_free = kept_in_period > 0 && kept_in_period == in_period;
  if ((has_work() && !nobody_free) || !idle_.all_asleep(workers.size() - kept)) return false;
  if (!homes_) return true;
  for (const Worker* worker : workers) {
    if (!worker->nothing_local() && !worker->strands_.blocked()) return false;
  }
  // Again: a worker may have been on the list, about to find what was sent to it alone, when the list was looked at.
  return idle_.all_asleep(workers.size() - kept);
}

bool Scheduler::run_in_scope(Worker& worker, Behavior& behavior, Running& running) noexcept {
  Scope* scope = behavior.scope;
  // Whoever waits for the root alone looks at the workers themselves (runs_in).
  if (scope == nullptr || scope == root_) {
    const bool cancelled = scope && scope->cancelled();
    backend_.run(worker, behavior, cancelled);
    return cancelled;
  }
  const bool begun = running.begin(*scope);
  backend_.run(worker, behavior, !begun);
  if (begun) running.end(*scope);
  return !begun;
}

void Scheduler::join_workers() noexcept {
  quit_.store(true, release);
  full_fence();  // partner: announce_sleep(), after which workers look at stopping()
  idle_.notify_all();
  for (Worker* worker : roster_.list()) {
    if (worker->thread_.joinable()) worker->thread_.join();
  }
  rescue_leftovers();
}

void Scheduler::rescue_leftovers() noexcept {
  // A destructor that ran in worker_stopping() may have scheduled something.
  for (Worker* worker : roster_.list()) {
    while (Behavior* behavior = worker->queue_.pop()) injector_.push(behavior);
    worker->give_credits_back();
  }
}

bool Scheduler::has_work() const noexcept {
  if (!injector_.empty()) return true;
  for (Worker* worker : roster_.list()) {
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
  main_worker.stats().executed.add();
  if (run_in_scope(main_worker, *behavior, main_running_)) main_worker.stats().cancelled.add();
  finish(nullptr, *behavior);
  return true;
}

void Scheduler::settle(Outcome& outcome) noexcept {
  // The common case first: all of them are for the workers.
  bool plain = outcome.given_up == nullptr;
  for (Behavior* b = outcome.ready.first; b; b = b->next) plain = plain && b->lane == Lane::WORKERS;
  if (plain) return;
  BehaviorList workers;
  // Abandoned waiters make others ready in turn: a loop, as there may be many in a row.
  for (;;) {
    if (Request* request = outcome.given_up) {
      outcome.given_up = Waiter::share_of(*request).next;
      pass_on(*request, outcome);
      continue;
    }
    Behavior* b = outcome.ready.pop();
    if (!b) break;
    if (b->lane == Lane::WORKERS) {
      workers.push(b);
    } else if (b->lane == Lane::MAIN) {
      main_lane_.push(b);
    } else if (!b->waiter->grant()) {
      if (!b->waiter->shares) release_requests(*b, outcome);  // else pass_on() or abandon() did it, one by one
      if (b->waiter->leave()) backend_.retire(*b);
    }
  }
  outcome.ready = workers;
}

bool Scheduler::abandon(Behavior& waiting) noexcept {
  Waiter& waiter = *waiting.waiter;
  const bool shared = waiter.shares != nullptr;  // read first: without shares it may be gone after abandon()
  if (!waiter.abandon()) return false;
  if (!shared) return true;
  Outcome outcome;
  {
    std::lock_guard guard(giving_up_);
    for (Request& r : waiting.acquired()) {
      if (!r.duplicate() && waiter.shares[&r - waiting.requests].give_up()) release_request(r, outcome);
    }
  }
  if (waiter.leave()) backend_.retire(waiting);
  flush(nullptr, outcome);
  return true;
}

void Scheduler::pass_on(Request& given_up, Outcome& outcome) noexcept {
  {
    std::lock_guard guard(giving_up_);
    Waiter::share_of(given_up).released = true;
    release_request(given_up, outcome);
  }
  resolve(*given_up.behavior, 1, outcome);
}

void Scheduler::flush(Worker* here, Outcome& outcome) noexcept {
  settle(outcome);
  if (here) {
    here->enqueue(outcome.ready);
  } else {
    while (Behavior* b = outcome.ready.pop()) homes_ ? dispatch(*b) : inject(*b);
  }
  drop(outcome.dead);
}

void Scheduler::inject(Behavior& behavior) noexcept {
  injector_.push(&behavior);
  notify();
}

bool Scheduler::drop_silently(const Outcome& outcome) noexcept {
  if (outcome.dead->next_dead || !backend_.drops_silently(*outcome.dead)) return false;
  backend_.drop(outcome.dead);
  return true;
}

void Scheduler::drop(Cown* dead) noexcept {
  while (dead) {
    Cown* next = dead->next_dead;
    backend_.drop(dead);
    dead = next;
  }
}

}  // namespace boc
