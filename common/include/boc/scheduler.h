// The scheduler: workers, the lanes between them, and the root scope that counts everything pending. An object like
// any other; a process may have several.
#pragma once

#include <exception>
#include <memory>
#include <span>
#include <vector>

#include "boc/backend.h"
#include "boc/idle.h"
#include "boc/protocol.h"
#include "boc/roster.h"
#include "boc/waiter.h"
#include "boc/worker.h"

namespace boc {

// Invariants
//   H1  A behavior is counted in its scope (count_in) before it is scheduled, and before its scheduler looks at
//       running(); try_stop() announces the stop before it looks at the count. So either the stop sees the behavior
//       and is called off, or the scheduler sees the stop and starts again: no behavior is left without workers.
//   H2  start() and try_stop() are serialised by the caller.
//   H3  What was scheduled while no worker ran, or too late for one that was stopping, waits in the injector for the
//       next start(). Only what is fixed to a worker waits there.
//   K2  A kept worker has one order at a time. It reports when it has followed PREPARE (worker_started or _resumed
//       returned) and REST (its period is over), and gets the next one only then. RUN is given once all are prepared:
//       while one can still fail, none has run anything.
//   K3  A kept worker without a part in the period runs what is fixed to it only while serving_, and is counted in
//       served_ meanwhile. A stop clears the one, then waits for the other to be 0.
class Scheduler {
 public:
  explicit Scheduler(Backend& backend);
  // Cancels what has not begun, waits for the rest, stops, ends. Somebody else must empty the main lane meanwhile.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Starts `workers` (at least 1) threads. Returns when each has left Backend::worker_started(), so the caller must not
  // hold what that waits for. Throws std::system_error if a thread cannot be had, or what worker_started() threw, with
  // no worker left running. With homes: resumes kept workers, the first ones, and makes more if these are too few; if
  // it fails, those that were kept before still are, and there are no others.
  void start(unsigned workers);
  // Stops the workers if nothing is pending, and gives idle memory back to the system; false (and nothing has changed)
  // otherwise. With homes they are kept, and rest.
  bool try_stop();
  // Stops the workers as soon as nothing runs and nothing is ready, whatever is still queued behind cowns
  // that others hold: it stays there for ever. Only once root() is cancelled, and nothing is scheduled any
  // more.
  void stop_for_good() noexcept;
  // With homes, once stopped: the kept workers end. Each calls Backend::worker_ending(), and its thread is joined. What
  // they were to run goes to the injector, so nothing should be scheduled any more; but start() begins afresh.
  void end() noexcept;
  bool running() const noexcept { return state_.load(seq_cst) == RUNNING; }
  // Those that have a part in this (or had one in the last) period.
  unsigned worker_count() const noexcept { return count_.load(relaxed); }
  // All there are; with homes possibly more. A reference is good for as long as the scheduler is there.
  unsigned kept_count() const noexcept { return static_cast<unsigned>(roster_.list().size()); }
  Worker& kept_worker(unsigned index) const noexcept { return *roster_.list()[index]; }

  Backend& backend() const noexcept { return backend_; }
  Scope& root() noexcept { return *root_; }
  // For a cancelled scope: has anything in it begun that has not ended? Never false while something runs. For
  // the root, also what is ready and about to be dropped counts.
  bool runs_in(const Scope& scope) noexcept;
  // Nothing runs, but that workers are kept by behaviors that wait, and nothing is ready that another worker could run. May
  // change at once if somebody outside the workers schedules, or ends a wait.
  bool quiet() const noexcept;
  MainLane& main_lane() noexcept { return main_lane_; }

  // `here` is the calling worker, or null on other threads.
  static void count_in(Worker* here, Scope& scope) noexcept { here ? here->count_in(scope) : scope.take(1); }

  // Prepared behaviors (protocol.h), counted in their scopes, go on their way.
  void schedule(Worker* here, Behavior& behavior) noexcept;
  void schedule_batch(Worker* here, std::span<Behavior* const> behaviors);
  // Only for a behavior with one request: false if its cown is not free.
  bool try_schedule(Worker* here, Behavior& behavior) noexcept;

  // A behavior that was not run by a worker (a waiter's, or one that never went on its way) ends: its cowns go on to
  // the next, its memory back.
  void finish(Worker* here, Behavior& behavior) noexcept;
  // A behavior that was made but never went on its way: only its memory goes back.
  void discard(Behavior& behavior) noexcept { backend_.retire(behavior); }
  // One of the extra conditions of a behavior (added to its countdown before it was scheduled) holds now.
  void satisfy(Worker* here, Behavior& behavior) noexcept;
  // The thread behind Lane::WAITER gives up: each of its cowns goes on to the next as soon as it comes.
  // False: they came just now, and the behavior is to be finished as usual. True: it must not be touched
  // again.
  bool abandon(Behavior& waiting) noexcept;
  // True if anything that `reaches` accepts waits, directly or through others, for what the waiter's behavior
  // `holder` holds. For the holder's thread: nothing that waits so ends before it releases.
  bool blocks(Behavior& holder, bool (*reaches)(Behavior& waiting, void* argument), void* argument);
  // Takes a behavior from the main lane and runs it on the calling thread. False: none was there.
  bool run_main(Worker& main_worker) noexcept;

  // Dispatches what became ready and drops what died.
  void flush(Worker* here, Outcome& outcome) noexcept;

  // Up to kept_count().
  WorkerStats& stats(unsigned worker) noexcept { return kept_worker(worker).stats(); }

 private:
  friend class Worker;
  enum State : uint32_t { STOPPED, RUNNING, STOPPING };

  bool stopping() const noexcept { return quit_.load(acquire); }
  bool has_work() const noexcept;  // that any worker could take
  // Leaves in outcome.ready only what workers may run: the rest goes to the main lane, to waiters, or, abandoned, on
  // to the next in their queues.
  void settle(Outcome& outcome) noexcept;
  void drop(Cown* dead) noexcept;
  // The frequent case, one result that nobody waits for, if that runs no user code. False: not dropped.
  bool drop_silently(const Outcome& outcome) noexcept;
  // Releases a request that its waiter has given up before it came.
  void pass_on(Request& given_up, Outcome& outcome) noexcept;
  // Runs it, or drops it if its scope is cancelled; true: dropped.
  bool run_in_scope(Worker& worker, Behavior& behavior, Running& running) noexcept;
  void join_workers() noexcept;
  // After work was published: wakes a worker for it if that is needed.
  bool notify() noexcept { return idle_.notify_one(); }
  void rescue_leftovers() noexcept;                // H3
  void report(std::exception_ptr error) noexcept;  // by a worker that has begun, or followed an order (K2)
  void await_reports(unsigned count);              // throws the first error among them

  // With homes (placing.cpp).
  enum class Ending : uint8_t { RAN, DROPPED, REFUSED };
  // As run_in_scope(), but the behavior may turn out to belong elsewhere: then it is as before.
  Ending enter_and_run(Worker& worker, Behavior& behavior, Running& running) noexcept;
  bool has_heavy() const noexcept;               // that waits at its worker
  bool all_quiet() const noexcept;               // nothing runs, nothing is ready, nothing waits
  Worker* home_of(Behavior& behavior) noexcept;  // asks and remembers; null: anywhere
  void dispatch(Behavior& behavior) noexcept;    // outside of the workers
  void inject(Behavior& behavior) noexcept;
  void notify_heavy() noexcept;  // P2; after a fence

  // Kept workers (kept.cpp).
  void start_kept(unsigned workers);
  void dismiss(unsigned workers) noexcept;  // the first ones: they rest
  bool begin_serving() noexcept;            // K3
  void end_serving() noexcept;

  Backend& backend_;
  const bool homes_;
  Scope* root_;
  MainLane main_lane_;
  IdleSet idle_;
  Roster roster_;
  atomic<unsigned> count_{0};
  atomic<uint32_t> state_{STOPPED};
  atomic<bool> quit_{false};
  Injector injector_;
  Running main_running_;
  std::mutex giving_up_;  // V3

  atomic<bool> watched_{false};  // P2
  atomic<bool> serving_{false};  // K3

  // How far start() or a stop has come.
  std::mutex start_mutex_;
  std::condition_variable started_;
  unsigned reports_ = 0;
  unsigned served_ = 0;  // K3
  std::exception_ptr start_error_;
};

}  // namespace boc
