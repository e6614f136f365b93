// Where behaviors go if values live with workers: to their place, from there only with care, and how one worker is
// woken. Nothing in here is used unless the backend has homes.
#include <algorithm>

#include "boc/scheduler.h"

namespace boc {

Worker* Scheduler::home_of(Behavior& behavior) noexcept {
  const Place place = backend_.place(behavior);
  const Roster::List& workers = roster_.list();
  Worker* home = nullptr;
  if (place.worker >= 0 && static_cast<size_t>(place.worker) < workers.size()) home = workers[place.worker];
  if (home && !place.fixed && !home->active_.load(relaxed)) home = nullptr;
  behavior.home = static_cast<int16_t>(home ? place.worker : -1);
  behavior.fixed = home && place.fixed;
  behavior.heavy = home && place.heavy && !place.fixed;
  return home;
}

void Scheduler::dispatch(Behavior& behavior) noexcept {
  if (Worker* home = home_of(behavior)) {
    home->receive(behavior);
  } else {
    inject(behavior);
  }
}

Scheduler::Ending Scheduler::enter_and_run(Worker& worker, Behavior& behavior, Running& running) noexcept {
  Scope* scope = behavior.scope;
  if (scope == nullptr || scope == root_) {  // as in run_in_scope()
    const bool cancelled = scope && scope->cancelled();
    if (!cancelled && !backend_.enter(worker, behavior)) return Ending::REFUSED;
    backend_.run(worker, behavior, cancelled);
    return cancelled ? Ending::DROPPED : Ending::RAN;
  }
  const bool begun = running.begin(*scope);
  const bool refused = begun && !backend_.enter(worker, behavior);
  if (!refused) backend_.run(worker, behavior, !begun);
  if (begun) running.end(*scope);  // if refused, it is still pending (N2)
  return refused ? Ending::REFUSED : begun ? Ending::RAN : Ending::DROPPED;
}

void Scheduler::notify_heavy() noexcept {
  // P2: who watches looks at all heavy ones again before it sleeps without limit, and each more that is woken would
  // find nothing that it may take.
  if (!watched_.load(relaxed)) notify();
}

bool Scheduler::has_heavy() const noexcept {
  for (Worker* worker : roster_.list()) {
    if (!worker->heavy_.empty()) return true;
  }
  return false;
}

bool Worker::wake() noexcept {
  full_fence();  // W3: partner of the fences in announce_sleep() and announce_rest()
  return asleep_.load(relaxed) && scheduler_.idle_.wake(parker_);
}

void Worker::receive(Behavior& behavior) noexcept {
  const bool fixed = behavior.fixed;  // it may run and be gone once it is queued
  const bool heavy = behavior.heavy;
  queue_for(behavior).push(&behavior);
  if (wake() || fixed) return;
  // It is busy, or was: somebody else may have time.
  if (heavy) {
    scheduler_.notify_heavy();
  } else {
    scheduler_.notify();
  }
}

void Worker::send_out(BehaviorList& ready, bool keep) noexcept {
  bool plain = false;
  bool heavy = false;
  while (Behavior* b = ready.pop()) {
    stats_.scheduled.add();
    Worker* home = scheduler_.home_of(*b);
    if (home && home != this) {
      scheduler_.backend_.sending(*this, *b);
      home->receive(*b);
    } else if (off_duty_ && !b->fixed) {
      scheduler_.inject(*b);
    } else if (keep && !off_duty_ && !next_) {
      next_ = b;
    } else {
      (b->heavy ? heavy : plain) |= !b->fixed;
      queue_for(*b).push(b);
    }
  }
  if (plain) {
    offer();
  } else if (heavy && !alone_) {
    full_fence();  // P2: partner of the fence in announce_sleep()
    scheduler_.notify_heavy();
  }
}

void Worker::send_on(Behavior& refused) noexcept {
  stats_.executed.take_back();
  stats_.refused.add();
  BehaviorList list;
  list.push(&refused);
  send_out(list, false);
}

Behavior* Worker::pop_local() noexcept {
  // In turns: none of the three waits for ever behind another.
  WorkQueue* const queues[] = {&fixed_, &heavy_, &queue_};
  for (int i = 0; i < 3; ++i) {
    turn_ = (turn_ + 1) % 3;
    Behavior* behavior = queues[turn_]->pop();
    if (!behavior) continue;
    BOC_INVARIANT(!behavior->fixed || behavior->home == static_cast<int>(index_), "P1");
    return behavior;
  }
  return nullptr;
}

bool Worker::stuck() noexcept {
  if (asleep_.load(relaxed)) return false;  // somebody has woken it for what it has
  const uint64_t executed = stats_.executed.get();
  const int64_t now = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  // Acquire: partner of the release below. Whoever finds the count finds a time that is not older.
  if (seen_executed_.load(acquire) == executed) return now - seen_since_.load(relaxed) >= STUCK_AFTER.count();
  seen_since_.store(now, relaxed);
  seen_executed_.store(executed, release);
  return false;
}

Behavior* Worker::steal_heavy() noexcept {
  for (Worker* victim : scheduler_.roster_.list()) {
    if (victim == this || victim->heavy_.empty() || !victim->stuck()) continue;
    // One at a time, and the next only after as long a time again: the victim may just have lost its processor, and
    // moving all that it has would cost more than waiting.
    Behavior* behavior = victim->heavy_.pop();
    if (!behavior) continue;
    victim->seen_executed_.store(NOTHING_SEEN, relaxed);
    stats_.stolen.add();
    stats_.stolen_heavy.add();
    return behavior;
  }
  return nullptr;
}

void Worker::run_errands() noexcept {
  if (next_) {
    put_next_back();  // W1
    offer();
  }
  give_credits_back();  // W2
  scheduler_.backend_.run_errands(*this);
  give_credits_back();  // it may sleep next
}

bool Worker::watch() noexcept {
  if (!scheduler_.has_heavy()) return false;
  // Acq_rel: partner of end_watch() of who watched before.
  watching_ = !scheduler_.watched_.exchange(true, acq_rel);
  return watching_;
}

void Worker::end_watch() noexcept {
  // Before a fence (of announce_sleep() or end_search()), after which this worker looks at the heavy ones again (P2).
  if (watching_) scheduler_.watched_.store(false, release);
  watching_ = false;
}

void Worker::end_sleep() noexcept {
  asleep_.store(false, relaxed);
  seen_executed_.store(NOTHING_SEEN, relaxed);  // the time that it slept does not count
}

bool Worker::must_not_sleep() noexcept {
  return strands_.busy() || scheduler_.has_work() || may_end() || !nothing_local() ||
         scheduler_.backend_.has_errands(*this);
}

// Leaves the worker searching, as it was before (I3).
void Worker::sleep(std::chrono::nanoseconds& pause) noexcept {
  IdleSet& idle = scheduler_.idle_;
  end_watch();
  asleep_.store(true, relaxed);  // W3
  idle.announce_sleep(parker_);
  if (must_not_sleep()) {
    idle.cancel_sleep(parker_);
    stats_.parks_cancelled.add();
  } else {
    stats_.parked.add();
    const bool limited = watch();
    scheduler_.backend_.before_park(*this);
    const auto begun = std::chrono::steady_clock::now();
    if (short_sleep_) parker_.linger(LINGER);
    doze(limited ? pause : std::chrono::nanoseconds::max());
    short_sleep_ = std::chrono::steady_clock::now() - begun < SHORT_SLEEP;
    scheduler_.backend_.after_park(*this);
    pause = limited ? std::min(2 * pause, LAST_PAUSE) : FIRST_PAUSE;
  }
  end_sleep();
}

Behavior* Worker::park_with_homes() noexcept {
  IdleSet& idle = scheduler_.idle_;
  Behavior* behavior = nullptr;
  for (std::chrono::nanoseconds pause = FIRST_PAUSE;;) {
    sleep(pause);
    if (scheduler_.backend_.has_errands(*this)) {
      // They may take long, and who searches is trusted to find what is published.
      end_watch();
      end_search();
      run_errands();
      idle.begin_search();
    }
    if (strands_.busy()) break;
    behavior = search();
    if (behavior || (may_end() && !scheduler_.has_work() && nothing_local())) break;
  }
  end_watch();
  end_search();
  return behavior;
}

}  // namespace boc
