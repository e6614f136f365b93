// A worker: one thread that runs behaviors. Its loop has three verbs: run_local, steal, park. With homes the thread is
// kept when the scheduler stops, and rests between the periods in which it works.
#pragma once

#include <thread>

#include "boc/scope.h"
#include "boc/stats.h"
#include "boc/strands.h"
#include "boc/work_queue.h"

namespace boc {

class Backend;
class Scheduler;

// Invariants
//   W1  next_ is the worker's alone and is empty whenever user code runs: what waits can always be stolen.
//   W2  Credits (S1) belong to one scope at a time. They are given back before the worker runs a behavior of another
//       scope, looks for work elsewhere, lets another strand go on, or runs errands: who waits for the scope must not wait
//       for that.
//   W3  asleep_ is set before a sleep or rest is announced. Whoever has something for this one worker (an errand, a
//       behavior, a strand, an order) publishes it, then looks at asleep_; the worker announces, then looks at all
//       these. Each has a full fence in between: no nudge is lost, and a worker that is awake costs no lock.
//   P1  A fixed behavior is in its home's fixed_ or next_, and nowhere else: only its home takes it from there.
//   P2  A heavy behavior in heavy_ is taken by another worker only if this one has been stuck for a while. Meanwhile
//       somebody watches if anybody is idle: one sleeper with a time limit (Scheduler::watched_), the others without.
class Worker {
 public:
  Worker(Scheduler& scheduler, unsigned index, bool alone = false) noexcept;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  unsigned index() const noexcept { return index_; }
  Scheduler& scheduler() const noexcept { return scheduler_; }
  WorkerStats& stats() noexcept { return stats_; }
  // The flows of control that its behaviors run in; a behavior may suspend its own.
  Strands& strands() noexcept { return strands_; }
  // False: what it runs now can only block its thread (a kept worker that serves out of its period).
  bool may_suspend() const noexcept { return !off_duty_; }
  // For the backend's use: what belongs to this worker for the time of its thread.
  void* backend_data = nullptr;

  // Counts a behavior that this worker's current behavior schedules.
  void count_in(Scope& scope) noexcept;
  // Ready behaviors found while user code runs: into the queue, where others can take them.
  void enqueue(BehaviorList& ready) noexcept;
  // Any thread, after an errand was posted (with homes) or a strand may go on: the worker looks at these soon, also if it
  // sleeps, rests or has no part in the period. Never blocks for longer than a list of sleepers is locked.
  void nudge() noexcept { wake(); }

 private:
  friend class Scheduler;
  friend class Strands;

  static constexpr unsigned STREAK_CAP = 64;       // behaviors from the next slot in a row while others wait
  static constexpr unsigned INJECTOR_PERIOD = 61;  // a look at the injector every so many behaviors
  static constexpr unsigned BREATH_PERIOD = 256;
  static constexpr int64_t CREDIT_BLOCK = 64;
  static constexpr std::chrono::nanoseconds STUCK_AFTER = std::chrono::microseconds(200);
  static constexpr std::chrono::nanoseconds FIRST_PAUSE = std::chrono::microseconds(300);  // of who watches, and then
  static constexpr std::chrono::nanoseconds LAST_PAUSE = std::chrono::microseconds(2400);  // twice as long each time
  // Workers that hand a value to and fro sleep for the time of one step. After a sleep that was as short the next one
  // begins awake: a thread that sleeps takes some 10 us to wake up, and many times that where cores are shared.
  static constexpr std::chrono::nanoseconds LINGER = std::chrono::microseconds(30);
  static constexpr std::chrono::nanoseconds SHORT_SLEEP = std::chrono::microseconds(60);
  static constexpr uint64_t NOTHING_SEEN = ~uint64_t{0};

  // What a kept worker is to do (K2).
  enum class Order : uint8_t { REST, PREPARE, RUN, END };

  void loop() noexcept;  // the thread
  template <bool HOMES>
  void work() noexcept;            // until the scheduler stops
  void work_in_period() noexcept;  // the same, by the root, in as many strands as it takes
  void loop_in_strand() noexcept { homes_ ? work<true>() : work<false>(); }
  template <bool HOMES>
  Behavior* run_local() noexcept;
  Behavior* steal() noexcept;
  Behavior* park() noexcept;  // null: the scheduler stops, or strands_.busy()

  void put_next_back() noexcept;  // into the queue
  Behavior* take_from_injector() noexcept;
  Behavior* search() noexcept;
  void end_search() noexcept;
  void offer() noexcept;  // wakes another worker, if need be, for what was put into the queue
  template <bool HOMES>
  void execute(Behavior& behavior) noexcept;
  void keep_next(BehaviorList& ready) noexcept;
  void count_out(Scope* scope) noexcept;
  void give_credits_back() noexcept;

  // With homes (placing.cpp).
  WorkQueue& queue_for(const Behavior& b) noexcept { return b.fixed ? fixed_ : b.heavy ? heavy_ : queue_; }
  bool nothing_local() const noexcept { return queue_.empty() && fixed_.empty() && heavy_.empty(); }
  Behavior* pop_local() noexcept;
  Behavior* steal_heavy() noexcept;
  Behavior* park_with_homes() noexcept;
  void sleep(std::chrono::nanoseconds& pause) noexcept;
  bool must_not_sleep() noexcept;
  void send_on(Behavior& refused) noexcept;
  void send_out(BehaviorList& ready, bool keep) noexcept;  // each to its place; `keep`: one into the next slot
  void receive(Behavior& behavior) noexcept;               // any thread
  bool wake() noexcept;                                    // any thread; false: it is awake, or about to be
  bool stuck() noexcept;                                   // any thread
  void run_errands() noexcept;
  void end_sleep() noexcept;
  bool watch() noexcept;
  void end_watch() noexcept;

  void doze(std::chrono::nanoseconds limit) noexcept;
  bool may_end() const noexcept;  // the period, if there is no work

  // Kept (kept.cpp).
  void live() noexcept;  // the thread
  bool begin_period(void (Backend::*begin)(Worker&)) noexcept;
  Order rest(Order seen) noexcept;  // until the order is another one
  bool has_rest_work() const noexcept;
  void give(Order order) noexcept { order_.store(order, release), wake(); }  // by whoever starts and stops
  void hand_over() noexcept;                                                 // H3
  void serve_fixed() noexcept;                                               // K3

  Scheduler& scheduler_;
  const unsigned index_;
  const bool homes_;
  bool alone_;             // there is no other worker to wake
  bool off_duty_ = false;  // a kept worker outside of work(): what is not fixed to it goes to the injector
  bool watching_ = false;  // P2
  bool short_sleep_ = false;
  Behavior* next_ = nullptr;
  unsigned streak_ = 0;
  unsigned tick_ = 0;
  unsigned victim_ = 0;
  unsigned turn_ = 0;  // which of the three queues comes first
  Strands strands_{*this};
  Scope* credit_scope_ = nullptr;
  int64_t credits_ = 0;
  Parker parker_;
  WorkerStats stats_;
  alignas(64) WorkQueue queue_;
  WorkQueue fixed_;
  WorkQueue heavy_;
  alignas(64) atomic<bool> asleep_{false};
  atomic<bool> active_{false};  // has a part in the period: a hint, hand_over() sees to what comes too late
  atomic<Order> order_{Order::PREPARE};
  // When a thief first saw that nothing had begun here since; any of them writes it.
  atomic<uint64_t> seen_executed_{NOTHING_SEEN};
  atomic<int64_t> seen_since_{0};
  std::thread thread_;
};

}  // namespace boc
