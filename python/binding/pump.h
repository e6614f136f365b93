// The main thread's side of the main lane: it runs pinned behaviors, in pump() and whenever it waits for something, and
// others are told that there are some.
#pragma once

#include <condition_variable>
#include <mutex>

#include "boc/scheduler.h"
#include "py_backend.h"

namespace boc::py {

double monotonic_now() noexcept;

// Invariants
//   L1  run_one() is called by the main thread only, attached, and not from inside a pinned behavior's body.
//   L2  Whoever pushes to the lane calls arrived() afterwards, and the main thread looks at the lane after it has said
//       that it waits (MainWait) and after it has said that it does so no longer. All of this is done under the mutex,
//       so what is pushed is found by the main thread, wakes it, or is told to the listener.
//   L3  The mutex is held for a few instructions, never while Python code runs.
class Pump {
 public:
  enum class Step {
    NOTHING,  // there was none
    DROPPED,  // its scope was cancelled
    RAN,
    FAILED,   // its result holds an exception that does not rise here
    STOPPED,  // an error is set: Ctrl-C, or what the behavior has raised
  };

  explicit Pump(Scheduler& scheduler);
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  // Is anything in the lane?
  bool waiting() const noexcept { return !scheduler_.main_lane().empty(); }
  // Runs one pinned behavior. raises_all: what it raises rises here too; else only what is no Exception does.
  Step run_one(bool raises_all);
  // Is the calling thread, which is the main one, in the middle of run_one()?
  bool running() const noexcept { return &context() == inside_; }

  // Seconds for which the lane has not been empty, if these are at least `limit` and it has not been told of this time
  // before; else 0.
  double starved_for(double limit) noexcept;

  // Somebody listens from now on, instead of whoever did before: a number for await(). listen(0): nobody does.
  unsigned listen(bool listens) noexcept;
  // Detached. Sleeps until pinned behaviors wait and nobody runs them; false: listener `number` is none any more. Told
  // once, until the main thread has pumped or waited.
  bool await(unsigned number) noexcept;

 private:
  friend class MainWait;
  using Clock = std::chrono::steady_clock;

  static void arrived(void* pump) noexcept;
  void tell() noexcept;        // the mutex is held
  void note_empty() noexcept;  // the lane may be empty now

  Scheduler& scheduler_;
  Worker worker_;    // for its counters
  Context* inside_;  // of the pinned behaviors: what the main thread has open outside is none of theirs

  std::mutex mutex_;
  class MainWait* innermost_ = nullptr;
  bool told_ = false;
  bool due_ = false;
  unsigned listener_ = 0;
  unsigned listeners_ = 0;  // that there have been
  std::condition_variable listen_;
  Clock::time_point since_{};  // the lane has not been empty; the epoch: it is
  bool starvation_told_ = false;
};

// A wait of the calling thread. On the main thread pinned behaviors run meanwhile; on others all this does nothing.
// `wake(argument)`, from any thread, ends the sleep that the thread is in, or the next. Waits may be nested.
class MainWait {
 public:
  using Wake = void (*)(void* argument) noexcept;
  MainWait(Wake wake, void* argument) noexcept;
  ~MainWait();
  MainWait(const MainWait&) = delete;
  MainWait& operator=(const MainWait&) = delete;

  // Runs pinned behaviors until done(), or none is left, or the deadline (of monotonic_now()) has passed. -1 with an
  // error.
  template <class F>
  int run_until(F done, double deadline) {
    while (work() && !done()) {
      if (pump_->run_one(false) == Pump::Step::STOPPED) return -1;
      if (monotonic_now() >= deadline) break;
    }
    return 0;
  }
  // Are there any for this thread? Then it must not sleep.
  bool work() const noexcept { return pump_ && pump_->waiting(); }
  static bool has_work(void* wait) { return static_cast<MainWait*>(wait)->work(); }

 private:
  friend class Pump;

  Pump* const pump_;  // null: not the main thread
  const Wake wake_;
  void* const argument_;
  MainWait* outer_ = nullptr;
};

// _pump, _starved_for, _listen, _await_pinned, _set_wait_poll, _on_main_thread, _pinned_exist: for the package.
extern PyMethodDef pump_methods[];

// Longest sleep in one go, in seconds, of the main thread while it waits.
double main_slice() noexcept;

// -1 with RuntimeError if this is not the main thread of the main interpreter.
int refuse_off_main(const char* what);

}  // namespace boc::py
