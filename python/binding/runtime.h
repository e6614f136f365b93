// The process's runtime: the default scheduler, when it starts and stops, and what ending and forking mean.
#pragma once

#include <limits>
#include <mutex>

#include "boc/scheduler.h"
#include "pump.h"
#include "py_backend.h"

namespace boc::py {

void settle_window() noexcept;  // window.h

class Runtime {
 public:
  explicit Runtime(PyBackend& backend) : backend_(backend), scheduler_(backend), pump_(scheduler_) {}

  Scheduler& scheduler() noexcept { return scheduler_; }
  Pump& pump() noexcept { return pump_; }
  Failures& failures() noexcept { return backend_.failures(); }

  // What is to be said before workers start; may run Python code. 0, or -1 with an error.
  int before_start();
  // Workers are there, or RuntimeError. Cheap when they are. Runs no Python code.
  int ensure_started() { return scheduler_.running() ? 0 : start(0); }
  // 0: as many as configured.
  int start(unsigned workers);
  // Workers for what is pending, if there are none any more. -1 with an error.
  int resume();
  // 1: stopped (or nothing was running), 0: something is pending again.
  int try_stop();
  void configure(unsigned workers) noexcept { configured_ = workers; }

  // From the return of wait() until the next start or @when every thread may look at every value.
  bool open_access() const noexcept { return open_.load(acquire); }
  // Unless somebody has started the workers, or scheduled something, meanwhile.
  void open_window();
  // Cheap if it is closed. Runs Python code otherwise; leaves no error.
  void close_window() noexcept {
    if (open_.load(relaxed) && open_.exchange(false, acq_rel)) settle_window();
  }

  // The interpreter ends: from now on only behaviors and the calling thread may schedule.
  void begin_end() noexcept;
  // Only behaviors are left that wait for messages, for ever unless somebody outside of the workers sends some.
  bool stuck();
  // Whether waits for messages are given up once that is so: at the end of the program, when nobody is left outside.
  void set_gives_up(bool gives_up) noexcept { gives_up_.store(gives_up, relaxed); }
  // True: it was so, and they were.
  bool give_up_if_stuck();
  // Stops the workers for good. 0: something is pending, and everything has not been cancelled.
  int close();
  bool closed() const noexcept { return closed_.load(acquire); }
  // -1 with RuntimeError if this thread may not schedule any more.
  int refuse_closed() { return ending_thread_.load(relaxed) == 0 ? 0 : refuse_ending(); }

 private:
  int refuse_ending();
  // Detached. Without the mutex once the workers end for good: they must not wait for who waits for them.
  std::unique_lock<std::timed_mutex> enter_lifecycle();

  PyBackend& backend_;
  Scheduler scheduler_;
  Pump pump_;
  std::timed_mutex lifecycle_;  // H2; taken only while detached
  unsigned configured_ = 1;
  atomic<bool> open_{false};
  atomic<unsigned long> ending_thread_{0};  // the thread that ends the interpreter, once it does
  atomic<bool> gives_up_{false};
  atomic<bool> closed_{false};  // written under lifecycle_
};

// Never null once the backend is chosen; replaced in a forked child.
Runtime& runtime() noexcept;

// The calling worker, or null.
inline Worker* here() noexcept {
  return context().worker;
}

// The functions of the module that drive it.
extern PyMethodDef runtime_methods[];

// _finish(alone), at the end of the program: waits until nothing is pending. False: only behaviors that wait for messages are
// left, and threads that may send some; if there are none (alone) these waits are given up.
PyObject* finish_program(PyObject*, PyObject* alone);

// Sleeps until nothing is pending in `scope`; `deadline` in seconds of the monotonic clock, infinity for none.
// 1: idle, 0: the time is over, or `enough`, which is asked before each sleep; -1: an error (Ctrl-C, or this thread would
// wait for itself).
int wait_idle(Scope& scope, double deadline, const char* what, bool (*enough)() = nullptr);
constexpr double FOREVER = std::numeric_limits<double>::infinity();
// A `timeout` argument in seconds: None is FOREVER, below 0 is 0. -1 with an error.
double parse_timeout(PyObject* timeout);
// Longest sleep of this thread in one go: the main thread must see signals, a holder must see who queues behind it.
std::chrono::nanoseconds sleep_slice(double deadline) noexcept;
// After each slice, on the main thread: signals, and objects that others have left to it. 0, or -1 with an error.
int look_around();

// Detaches this thread from Python for the length of a block: nothing of ours waits while it keeps others out.
class Detached {
 public:
  Detached() : state_(PyEval_SaveThread()) {}
  ~Detached() noexcept(false);  // CPython < 3.14 may end a daemon thread in there, by unwinding its stack
  Detached(const Detached&) = delete;
  Detached& operator=(const Detached&) = delete;

 private:
  PyThreadState* state_;
};

// Raises TimeoutError saying what is pending. Returns -1.
int raise_timeout(const char* what, double seconds);
// Where others would wait for whoever waits: -1 with RuntimeError.
int refuse_while_carrying(const char* what);
// On a worker that runs no behavior (a destructor, say): who waits there stops the worker.
inline bool on_resting_worker() noexcept {
  return !context().current && (here() || (runtime().closed() && !home().main()));
}
int refuse_on_resting_worker(const char* what);
// For functions that make no sense in a behavior, or in an open batch: -1 with RuntimeError.
int refuse_in_behavior(const char* what);
int refuse_in_batch(const char* what);

}  // namespace boc::py
