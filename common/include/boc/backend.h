// The seam between the scheduler and whatever runs behaviors. Three implementations exist: plain threads, sub-
// interpreters, and the C++-only one of boc/native.h.
#pragma once

#include "boc/behavior.h"

namespace boc {

class Strand;
class Worker;

// Where a ready behavior should run. Neither fixed nor heavy: a mere preference.
struct Place {
  int worker = -1;     // index of a kept worker, -1: anywhere
  bool fixed = false;  // only there: it is never stolen
  bool heavy = false;  // moving its values costs much: stolen only from a worker that is stuck with one behavior
};

// All calls about one worker come from that worker's thread, but for drop() and place(), which come from any.
class Backend {
 public:
  virtual ~Backend() = default;

  // First and last call of a worker's thread. With homes: at the beginning of its first period, and at the end of each.
  // May throw: start() fails with that; nothing more is called for this worker then.
  virtual void worker_started(Worker& worker) = 0;
  virtual void worker_stopping(Worker& worker) noexcept = 0;

  // Around every sleep: let go of what others need (an interpreter's lock, say), and take it back.
  virtual void before_park(Worker& worker) noexcept = 0;
  virtual void after_park(Worker& worker) noexcept = 0;

  // Enter, run and leave: on return the values lie where the next behavior will look for them, the result (a value or
  // an error) is stored, and the body's captures are gone. If `cancelled`, only the result is stored.
  virtual void run(Worker& worker, Behavior& behavior, bool cancelled) noexcept = 0;
  // After release: the memory goes back. Must not run user code.
  virtual void retire(Behavior& behavior) noexcept = 0;
  // Nobody refers to the cown any longer: destroy it with its payload. May run user code.
  virtual void drop(Cown* cown) noexcept = 0;
  // True if drop() would surely run no user code, so that nothing has to wait or be kept from other workers
  // for it.
  virtual bool drops_silently(const Cown& dead) noexcept = 0;
  // Now and then between behaviors (every few hundred looks for one): a chance to let others in.
  virtual void breathe(Worker& worker) noexcept = 0;

  // Strands (boc/strand.h): what code on a worker takes for its thread's own goes with them. Used once a behavior waits.
  // How much stack a strand needs that runs on the worker's own thread, or an eighth of it at least; 0: each must have a
  // thread.
  virtual size_t fiber_stack() const noexcept { return 0; }
  // On the thread on which it will run. False: no memory.
  virtual bool make_strand(Worker&, Strand&) noexcept { return true; }
  // Each on the strand's own stack: it gives the worker away; it begins or goes on; it ends, and nothing follows.
  virtual void leave_strand(Worker&, Strand&) noexcept {}
  virtual void enter_strand(Worker&, Strand&) noexcept {}
  virtual void end_strand(Worker&, Strand&) noexcept {}
  // First and last call on a thread that is not the worker's own, but has one of its strands.
  virtual void thread_started(Worker&) noexcept {}
  virtual void thread_ended(Worker&) noexcept {}

  // Homes: values live with workers, so it matters where a behavior runs, and the workers' threads are kept from one
  // period (start to stop) to the next. Asked once, when the scheduler is made; all below is used only if it is true.
  virtual bool has_homes() const noexcept { return false; }

  // Called by whoever dispatches a behavior of Lane::WORKERS, on any thread, once it holds its cowns. Must not block.
  // A worker that has no part in this period runs what is fixed to it; for all else it counts as "anywhere".
  virtual Place place(const Behavior&) noexcept { return {}; }
  // The last step before run(), left out if it is cancelled. False: it belongs elsewhere after all, and is dispatched
  // anew; place() must say so then, or it comes straight back.
  virtual bool enter(Worker&, Behavior&) noexcept { return true; }
  // A worker sends a behavior, which holds its cowns, to the home of another one: the chance to have what lies here ready
  // for the way, so that it need not be asked for. Must not run user code, nor take long.
  virtual void sending(Worker&, Behavior&) noexcept {}
  // What others want of a worker between two behaviors or out of a sleep, in a period or not. Whoever posts an errand
  // calls Worker::nudge() after that. has_errands() is asked each time: one load, acquire if what it finds is more than
  // a flag.
  virtual bool has_errands(const Worker&) const noexcept { return false; }
  // May run user code, may schedule.
  virtual void run_errands(Worker&) noexcept {}
  // A kept worker begins another period. May throw, as worker_started(): start() fails, the worker is kept.
  virtual void worker_resumed(Worker&) {}
  // The last call of a kept worker's thread: Scheduler::end(), or a start() that failed when the worker was new.
  virtual void worker_ending(Worker&) noexcept {}
};

}  // namespace boc
