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
#include "boc/waiter.h"
#include "boc/worker.h"

namespace boc {

// Invariants
//   H1  A behavior is counted in its scope (count_in) before it is scheduled, and before its scheduler looks at
//       running(); try_stop() announces the stop before it looks at the count. So either the stop sees the behavior
//       and is called off, or the scheduler sees the stop and starts again: no behavior is left without workers.
//   H2  start() and try_stop() are serialised by the caller.
//   H3  What was scheduled while no worker ran, or too late for one that was stopping, waits in the injector for the
//       next start().
class Scheduler {
 public:
  explicit Scheduler(Backend& backend);
  // Cancels what has not begun, waits for the rest, stops. Somebody else must empty the main lane meanwhile.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Starts `workers` (at least 1) threads. Returns when each has left Backend::worker_started(), so the caller must not
  // hold what that waits for. Throws std::system_error if a thread cannot be had, or what worker_started() threw, with
  // no worker left running.
  void start(unsigned workers);
  // Stops the workers if nothing is pending, and gives idle memory back to the system; false (and nothing has changed)
  // otherwise.
  bool try_stop();
  // Stops the workers as soon as nothing runs and nothing is ready, whatever is still queued behind cowns
  // that others hold: it stays there for ever. Only once root() is cancelled, and nothing is scheduled any
  // more.
  void stop_for_good() noexcept;
  bool running() const noexcept { return state_.load(seq_cst) == RUNNING; }
  unsigned worker_count() const noexcept { return static_cast<unsigned>(workers_.size()); }

  Scope& root() noexcept { return *root_; }
  // For a cancelled scope: has anything in it begun that has not ended? Never false while something runs. For
  // the root, also what is ready and about to be dropped counts.
  bool runs_in(const Scope& scope) noexcept;
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

  WorkerStats& stats(unsigned worker) noexcept { return workers_[worker]->stats(); }

 private:
  friend class Worker;
  enum State : uint32_t { STOPPED, RUNNING, STOPPING };

  bool stopping() const noexcept { return quit_.load(acquire); }
  bool has_work() const noexcept;
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
  void rescue_leftovers() noexcept;  // H3
  void worker_began(std::exception_ptr error) noexcept;

  Backend& backend_;
  Scope* root_;
  MainLane main_lane_;
  IdleSet idle_;
  std::vector<std::unique_ptr<Worker>> workers_;
  atomic<uint32_t> state_{STOPPED};
  atomic<bool> quit_{false};
  Injector injector_;
  Running main_running_;
  std::mutex giving_up_;  // V3

  // How far start() has come.
  std::mutex start_mutex_;
  std::condition_variable started_;
  unsigned begun_ = 0;
  std::exception_ptr start_error_;
};

}  // namespace boc
