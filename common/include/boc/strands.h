// The strands of one worker: which one runs, who may go on, whose time is up.
#pragma once

#include <map>
#include <vector>

#include "boc/strand.h"

namespace boc {

// Strands in line.
struct StrandList {
  Strand* first = nullptr;
  Strand* last = nullptr;

  bool empty() const noexcept { return first == nullptr; }
  void push(Strand& strand) noexcept;
  void push_front(Strand& strand) noexcept;
  Strand* pop() noexcept;
  bool remove(Strand& strand) noexcept;
  void append(StrandList& other) noexcept;
};

// All of it is the worker's alone (of whichever strand runs), but for what says something else.
//
// Invariants (and F1 to F3 of strand.h)
//   F4  A strand that is idle stands in the worker's loop, between two behaviors. It goes on there when another one
//       begins to wait, or to end.
//   F5  A strand may wait on the worker's own thread with frames of others below it, who take for granted that what they
//       began on the thread last ends first. One such strand (occupant_) may be there at a time. New behaviors run on
//       other threads meanwhile, so that there is no second; fibers that may go on still do. If one of those has to wait
//       in that way too (blocker_), no fiber goes on before it does.
//   F6  The root, which began on the worker's own thread, is the last to leave the loop: who finds the end first wakes it,
//       and it ends the others, all of which are idle then.
class Strands {
 public:
  explicit Strands(Worker& worker) noexcept : worker_(worker), root_(worker, true) {}
  Strands(const Strands&) = delete;
  Strands& operator=(const Strands&) = delete;

  Strand& current() noexcept { return *current_; }
  Strand& root() noexcept { return root_; }

  // Is there anything to be done here before the worker sleeps? Three loads, mostly.
  bool busy() noexcept { return inbox_.load(relaxed) || !ready_.empty() || over_ || (!timers_.empty() && due()); }
  // Or before new work?
  bool interrupts() noexcept { return busy() || misplaced(); }
  bool timed() const noexcept { return !timers_.empty(); }
  // Until the first timer; never less than nothing.
  std::chrono::nanoseconds time_left() const noexcept;
  // interrupts(), in the loop: the first strand that may go on does, and this one is idle until it is needed. False: the loop
  // ends.
  bool go_on() noexcept;

  // The current strand, after begin_wait(): others run until it is resumed or its time is up. `leave`: other
  // strands may run on this thread meanwhile. RUNNING again in any case.
  Woken suspend(Deadline deadline, bool leave) noexcept;
  // The same for one that has begun to wait as a thread.
  Woken block(Deadline deadline) noexcept;
  // It does not wait after all.
  void end_wait() noexcept;

  // The loop has ended: all others end. Called by the root, on the worker's own thread.
  void leave_loop() noexcept;

  // --- Any thread ---

  void post(Strand& ready) noexcept;
  // Does any of them run, or wait within, a behavior of this scope?
  bool runs_in(const Scope& scope) noexcept;
  // Suspended.
  unsigned waiting() const noexcept { return waiting_.load(seq_cst); }
  // The worker's thread waits with it.
  bool blocked() const noexcept { return blocked_.load(seq_cst); }

 private:
  static constexpr unsigned STREAK_CAP = 64;  // strands in a row that go on while there may be new work

  bool due() const noexcept;
  bool misplaced() const noexcept { return occupant_ && current_->is_fiber(); }  // F5
  void collect() noexcept;  // from the inbox, and those whose time is up
  Woken ended_wait(Strand& self) noexcept;
  Strand* next_ready() noexcept;
  Strand* next_for_loop() noexcept;  // idle or new; null: there is none to be had
  Strand* make() noexcept;
  bool make_thread(Strand& strand) noexcept;
  void switch_to(Strand& to, bool last = false) noexcept;
  void give_to(Strand& to) noexcept;
  void await_turn(Strand& from) noexcept;
  void rest(Strand& strand) noexcept;  // it is idle from now on
  void run(Strand& strand) noexcept;   // all that a strand does

  Worker& worker_;
  Strand root_;
  Strand* current_ = &root_;
  StrandList ready_;
  StrandList held_back_;    // F5
  StrandList idle_fibers_;  // the last one first: its stack is the warmest
  StrandList idle_threads_;
  Strand* occupant_ = nullptr;  // F5
  Strand* blocker_ = nullptr;   // F5
  Strand* turn_ = nullptr;      // whose turn it is on the worker's own thread; under root_.baton_
  bool over_ = false;           // F6
  unsigned streak_ = 0;
  std::multimap<Deadline, Strand*> timers_;
  std::mutex mutex_;  // of all_, for those on other threads
  std::vector<std::unique_ptr<Strand>> all_;
  atomic<unsigned> waiting_{0};
  atomic<bool> blocked_{false};
  alignas(64) atomic<Strand*> inbox_{nullptr};
};

}  // namespace boc
