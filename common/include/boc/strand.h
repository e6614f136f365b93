// A strand: one flow of control of a worker, with a stack of its own. A behavior that waits keeps its strand, and the
// worker's loop goes on in another one.
#pragma once

#include <memory>

#include "boc/fiber.h"
#include "boc/running.h"

namespace boc {

class Worker;

// How a wait ended.
enum class Woken : uint8_t {
  RESUMED,
  TIMED_OUT,
  FAILED,  // it has not begun: there is no memory, or no thread, for the worker's loop to go on in
};

using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline NO_DEADLINE = Deadline::max();

// What a backend keeps for a strand.
struct StrandData {
  virtual ~StrandData() = default;
};

// Invariants
//   F1  Of a worker's strands one runs at a time. Each of the others is where it gave the worker away, on its own stack.
//   F2  A strand stays on the thread on which it began: the worker's own (as a fiber), or one that has no other strand.
//   F3  state: RUNNING -> WAITING by its own code; WAITING -> READY by whoever resumes it, or by the worker when its time
//       is up; READY -> RUNNING, or WAITING -> RUNNING, by its own code again. Only who makes it READY puts it into the
//       worker's inbox (or permits its parker), so it is there once.
class Strand {
 public:
  enum class State : uint32_t { RUNNING, WAITING, READY };

  explicit Strand(Worker& worker, bool fiber) noexcept : worker_(worker), fiber_(fiber) {}
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  Worker& worker() const noexcept { return worker_; }
  // It runs on the worker's own thread.
  bool is_fiber() const noexcept { return fiber_; }
  Fiber& fiber() noexcept { return stack_; }

  // By its own code, in a behavior: from now on it may be resumed, and one of suspend(), block() and
  // end_wait() of its Strands must follow.
  // `blocks`: the thread will wait, not the strand.
  void begin_wait(bool blocks) noexcept {
    blocks_ = blocks;
    state_.store(State::WAITING, seq_cst);  // partner: resume()
  }

  // From any thread, while the strand surely exists (it is waiting, or whoever calls holds a lock that its end_wait() or
  // the return of suspend() is followed by). The first of several counts.
  void resume() noexcept;

  std::unique_ptr<StrandData> data;
  Running running;  // the behavior that it is in the middle of

 private:
  friend class Strands;
  friend struct StrandList;

  bool make_ready() noexcept {
    State waiting = State::WAITING;
    return state_.compare_exchange_strong(waiting, State::READY, seq_cst);
  }

  Worker& worker_;
  const bool fiber_;
  bool blocks_ = false;
  bool timed_ = false;  // among the timers
  bool timed_out_ = false;
  atomic<State> state_{State::RUNNING};
  Strand* next_ = nullptr;  // of the one list (inbox, ready, held back, idle) that it is in
  Fiber stack_;
  Parker baton_;        // of one with a thread of its own; also for a thread that waits
  std::thread thread_;  // none for a fiber
};

}  // namespace boc
