// Behaviors on plain threads of one interpreter. Values are references; nothing is encoded.
#pragma once

#include "boc/backend.h"
#include "context.h"
#include "failures.h"

namespace boc::py {

class ThreadBackend final : public Backend {
 public:
  // `breath`: a Python function that does nothing, for breathe(); kept for ever.
  explicit ThreadBackend(PyObject* breath) noexcept : breath_(breath) {}

  void worker_started(Worker& worker) override;
  void worker_stopping(Worker& worker) noexcept override;
  void before_park(Worker& worker) noexcept override;
  void after_park(Worker& worker) noexcept override;
  void run(Worker& worker, Behavior& behavior, bool cancelled) noexcept override;
  void retire(Behavior& behavior) noexcept override;
  void drop(Cown* cown) noexcept override;
  bool drops_silently(const Cown& dead) noexcept override;
  void breathe(Worker& worker) noexcept override;

  PyObject* breath() const noexcept { return breath_; }
  Failures& failures() noexcept { return failures_; }

  // Drops the cowns whose last reference retire() has given back on this thread.
  void drop_dead(Context& here) noexcept;
  // Gives up the references of a behavior (Y2); it will not run.
  static void clear(PyBehavior& behavior) noexcept;
  // Stores `error` (stolen) as the outcome of the behavior.
  void fail(PyBehavior& behavior, PyObject* error) noexcept;
  // The behavior was dropped before it began.
  static void cancel(PyBehavior& behavior) noexcept;
  // Called for a behavior that failed in an explicit scope, so that the scope can collect it.
  void (*on_failure)(Scope& scope, Payload& result) = nullptr;
  // Called at the end of a behavior that has not left a batch or scope of its own.
  void (*on_left_open)(Context& here) noexcept = nullptr;

 private:
  void call(Context& here, PyBehavior& behavior) noexcept;
  void store(PyBehavior& behavior, PyObject* value) noexcept;

  PyObject* const breath_;
  Failures failures_;
};

// Counts forks of this process; cowns remember it.
extern uint32_t generation;

// Memory from the pool; null with MemoryError.
void* allocate_block(size_t bytes) noexcept;
// A cown's payload with one reference, of this process; null with MemoryError. The value is stolen either
// way.
Payload* make_payload(PyObject* stolen) noexcept;

// True if the behavior holds a cown, other than `except`, whose payload is `value`.
bool is_payload_of_another(PyBehavior& behavior, PyObject* value, const Payload* except) noexcept;

// `value` as a cown may take it over from the current behavior: a new reference, a copy if it is the payload of
// another cown that the behavior holds. Null with an error.
PyObject* given_away(PyObject* value, const Payload* receiver);

// Counts behaviors per place for reports of what is pending.
void count_site(CodeInfo* info, unsigned shard, int change) noexcept;

}  // namespace boc::py
