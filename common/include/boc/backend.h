// The seam between the scheduler and whatever runs behaviors. Three implementations exist: plain threads, sub-
// interpreters, and the C++-only one of boc/native.h.
#pragma once

#include "boc/behavior.h"

namespace boc {

class Worker;

// All calls about one worker come from that worker's thread, but for drop() and failed_start(), which come from any.
class Backend {
 public:
  virtual ~Backend() = default;

  // First and last call of a worker's thread.
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
};

}  // namespace boc
