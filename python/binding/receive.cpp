#include "receive.h"

#include <algorithm>
#include <new>
#include <optional>

#include "c_frames.h"
#include "left_behind.h"
#include "main_thread.h"
#include "py_errors.h"
#include "runtime.h"
#include "waiting_behaviors.h"

namespace boc::py {
namespace {

constexpr const char* WHAT = "receive()";

// What is further away than that never comes.
constexpr double CENTURY = 3e9;
// The longest sleep in one go of a thread that also ends what other threads have left behind (left_behind.h).
constexpr double SLICE = 1.0;

std::chrono::nanoseconds until(double deadline, double most) noexcept {
  const double left = std::clamp(deadline - monotonic_now(), 0.0, most);
  return std::chrono::nanoseconds(static_cast<int64_t>(left * 1e9));
}

// The strand of the calling behavior; null: it is none, or not on a worker.
Strand* strand_here() noexcept {
  return here() && context().current ? &here()->strands().current() : nullptr;
}

// A behavior's strand, or a thread, that sleeps where it is.
class Sleeper final : public MessageWaiter {
 public:
  // Before the waiter is known to others; sleep() or end_unused() must follow.
  void begin() noexcept {
    strand_ = strand_here();
    if (strand_) strand_->begin_wait(!here()->may_suspend());
  }
  void end_unused() noexcept {
    if (strand_) here()->strands().end_wait();
  }
  void wake() noexcept override { strand_ ? strand_->resume() : parker_.unpark(); }

  // All sleeping is done here, after the waiter was registered. Returns when the wait has ended, when the deadline has
  // passed, or in the child of a fork: 0; -1 with an error. In each of these cases the wait may have ended meanwhile.
  int sleep(double deadline) { return strand_ ? suspend(deadline) : sleep_outside(deadline); }

 private:
  int suspend(double deadline) {
    Strands& strands = here()->strands();
    const double left = deadline - monotonic_now();
    const Deadline until =
        left > CENTURY ? NO_DEADLINE
                       : std::chrono::steady_clock::now() + std::chrono::nanoseconds(static_cast<int64_t>(left * 1e9));
    const Woken woken =
        here()->may_suspend() ? strands.suspend(until, may_leave_thread(context().base)) : strands.block(until);
    if (woken != Woken::FAILED) return 0;
    PyErr_SetString(PyExc_MemoryError,
                    "receive(): there is no memory, or no thread, for another behavior that waits. Let fewer wait at a "
                    "time");
    return -1;
  }

  // The main thread runs what is pinned, and sees signals; in a pinned behavior, which no other may interrupt (L1), it
  // only sees signals.
  int sleep_outside(double deadline) {
    const uint32_t process = generation;
    const bool pinned = context().current;
    const double slice = on_main_thread() ? main_slice() : SLICE;
    std::optional<MainWait> main_wait;
    if (!pinned) {
      main_wait.emplace([](void* self) noexcept { static_cast<Sleeper*>(self)->wake(); }, this);
    }
    while (waiting()) {
      if (pinned) {
        runtime().give_up_if_stuck();
      } else {
        if (home().main()) end_left_behind();  // which is of the main interpreter
        if (main_wait->run_until([this] { return !waiting(); }, deadline) < 0) return -1;
      }
      if (waiting() && !(main_wait && main_wait->work())) {
        Detached detached;
        parker_.park_for(until(deadline, slice));
      }
      if (look_around() < 0) return -1;
      if (process != generation || monotonic_now() >= deadline) return 0;
    }
    return 0;
  }

  Strand* strand_ = nullptr;
  Parker parker_;
};

int raise_given_up(PyBehavior& behavior) {
  behavior.gave_up = true;
  const bool cancelled = behavior.scope && behavior.scope->cancelled();
  return raise_error("CancelledError",
                     PyUnicode_FromFormat("receive() was given up: %s",
                                          cancelled ? "the scope of this behavior was cancelled"
                                                    : "the program ends, and nobody is left who could send a message"));
}

// Sleeps as a registered waiter.
int sleep_registered(Sleeper& waiter, double deadline) {
  const PyBehavior* behavior = context().current;
  if (!behavior) return waiter.sleep(deadline);
  const WaitingBehavior listed(waiter, behavior->scope, deadline == FOREVER);
  Context& here_now = context();
  here_now.waiting.store(true, relaxed);
  const int slept = waiter.sleep(deadline);
  here_now.waiting.store(false, relaxed);
  return slept;
}

// As receive_message(), once. Nothing, in the child of a fork: its messages are others than those that were waited for.
std::optional<int> receive_once(std::span<const Tag> tags, double deadline, bool waits, Received* received) {
  Registration one;
  std::unique_ptr<Registration[]> many(waits && tags.size() > 1 ? new Registration[tags.size()] : nullptr);
  Registration* const places = many ? many.get() : &one;
  Sleeper waiter;
  Messages& all = messages();
  if (waits) waiter.begin();
  try {
    received->message = all.take(tags, &received->tag, waits ? &waiter : nullptr, places);
  } catch (const std::bad_alloc&) {
    waiter.end_unused();
    throw;
  }
  if (received->message) {
    waiter.end_unused();
    return 1;
  }
  if (!waits) return 0;
  const int slept = sleep_registered(waiter, deadline);
  if (&all != &messages()) return slept < 0 ? std::optional(-1) : std::nullopt;
  const bool by_others = !waiter.claim();
  if (by_others) waiter.await_end();
  // The only place was left when the message was given.
  if (!waiter.given || tags.size() > 1) all.withdraw(tags, places);
  received->message.reset(waiter.given);
  received->tag = waiter.tag;
  if (slept == 0 && received->message) return 1;
  if (received->message) all.put_back(tags[received->tag], std::move(received->message));
  if (slept < 0) return -1;
  return by_others ? raise_given_up(*context().current) : 0;
}

// On a worker, where waiting would stop it for good.
int refuse_on_worker() {
  if (on_resting_worker()) {
    PyErr_SetString(
        PyExc_RuntimeError,
        "receive() on a worker between two behaviors (in a destructor, say) would stop the worker: there it can "
        "only take what has arrived, with timeout=0");
    return -1;
  }
  if (!here() || !importing()) return 0;
  PyErr_SetString(PyExc_RuntimeError,
                  "receive() within an import would keep the module locked, and with it the worker if another behavior "
                  "there imports the same. Wait after the import, or only take what has arrived, with timeout=0");
  return -1;
}

}  // namespace

int receive_message(std::span<const Tag> tags, double timeout, Received* received) try {
  std::optional<int> done = receive_once(tags, 0, false, received);  // mostly there is one: no clock is read for it
  if (timeout > 0 && done != 1) {
    const double deadline = monotonic_now() + timeout;
    if (refuse_while_carrying(WHAT) < 0 || refuse_on_worker() < 0) return -1;
    do done = receive_once(tags, deadline, true, received);
    while (!done);
  }
  // What a behavior has written before it sent the message is out before the message is here.
  if (*done != 1 || !home().main() || context().current || backend().run_main_errands() == 0) return *done;
  messages().put_back(tags[received->tag], std::move(received->message));
  return -1;
} catch (const std::bad_alloc&) {
  PyErr_NoMemory();
  return -1;
}

}  // namespace boc::py
