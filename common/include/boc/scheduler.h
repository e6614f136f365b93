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
  bool running() const noexcept { return state_.load(seq_cst) == RUNNING; }
  unsigned worker_count() const noexcept { return static_cast<unsigned>(workers_.size()); }

  Scope& root() noexcept { return *root_; }
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

  // How far start() has come.
  std::mutex start_mutex_;
  std::condition_variable started_;
  unsigned begun_ = 0;
  std::exception_ptr start_error_;
};

// True if anything that `reaches` accepts waits, directly or through others, for what the waiter's behavior `holder`
// holds. Nothing that waits so can end before the holder releases, so the walk is safe on the holder's thread.
bool blocks(Behavior& holder, bool (*reaches)(Behavior& waiting, void* argument), void* argument);

}  // namespace boc
