// A worker: one thread that runs behaviors. Its loop has three verbs: run_local, steal, park.
#pragma once

#include <thread>

#include "boc/running.h"
#include "boc/scope.h"
#include "boc/stats.h"
#include "boc/work_queue.h"

namespace boc {

class Scheduler;

// Invariants
//   W1  next_ is the worker's alone and is empty whenever user code runs: what waits can always be stolen.
//   W2  Credits (S1) belong to one scope at a time. They are given back before the worker runs a behavior of another
//       scope, or looks for work elsewhere: who waits for the scope must not wait for that.
class Worker {
 public:
  Worker(Scheduler& scheduler, unsigned index, bool alone = false) noexcept
      : scheduler_(scheduler), index_(index), alone_(alone) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  unsigned index() const noexcept { return index_; }
  Scheduler& scheduler() const noexcept { return scheduler_; }
  WorkerStats& stats() noexcept { return stats_; }
  // For the backend's use: what belongs to this worker for the time of its thread.
  void* backend_data = nullptr;

  // Counts a behavior that this worker's current behavior schedules.
  void count_in(Scope& scope) noexcept;
  // Ready behaviors found while user code runs: into the queue, where others can take them.
  void enqueue(BehaviorList& ready) noexcept;

 private:
  friend class Scheduler;

  static constexpr unsigned STREAK_CAP = 64;       // behaviors from the next slot in a row while others wait
  static constexpr unsigned INJECTOR_PERIOD = 61;  // a look at the injector every so many behaviors
  static constexpr unsigned BREATH_PERIOD = 256;
  static constexpr int64_t CREDIT_BLOCK = 64;

  void loop() noexcept;  // the thread
  Behavior* run_local() noexcept;
  Behavior* steal() noexcept;
  Behavior* park() noexcept;  // null: the scheduler stops

  Behavior* take_from_injector() noexcept;
  Behavior* search() noexcept;
  void end_search() noexcept;
  void offer() noexcept;  // wakes another worker, if need be, for what was put into the queue
  void execute(Behavior& behavior) noexcept;
  void keep_next(BehaviorList& ready) noexcept;
  void count_out(Scope* scope) noexcept;
  void give_credits_back() noexcept;

  Scheduler& scheduler_;
  const unsigned index_;
  const bool alone_;  // there is no other worker to wake
  Behavior* next_ = nullptr;
  unsigned streak_ = 0;
  unsigned tick_ = 0;
  unsigned victim_ = 0;
  Running running_;
  Scope* credit_scope_ = nullptr;
  int64_t credits_ = 0;
  Parker parker_;
  WorkerStats stats_;
  alignas(64) WorkQueue queue_;
  std::thread thread_;
};

}  // namespace boc
