// What both Python backends have in common: how a behavior is entered and left, results, failures, dropped cowns. What
// differs (where values live, how a function gets to its worker) is behind the virtual functions.
#pragma once

#include <memory>

#include "boc/backend.h"
#include "capture.h"
#include "context.h"
#include "failures.h"
#include "parameters.h"
#include "posted.h"

namespace boc::py {

class PyBackend : public Backend {
 public:
  // --- Behaviors ---

  // A behavior that calls plan.function over the cowns, with its captures; not prepared, no result yet. Null with an
  // error.
  virtual PyBehavior* make(CallPlan& plan, const Parameters& parameters, PyObject* const* extras, Py_ssize_t n) = 0;
  // Gives up its function and captures: it will not run (any more).
  void clear(PyBehavior& behavior) noexcept;
  // After clear(), the last that is done with it: gives up what keeps its site.
  void let_go(PyBehavior& behavior) noexcept {
    if (!behavior.native) let_go_call(behavior);
  }
  // A behavior without a Python function, with room for so many requests. Null with MemoryError.
  NativeBehavior* make_native(size_t requests) noexcept;
  // It was made, but never scheduled and has no result: gives it up with its memory.
  void unmake(PyBehavior& behavior) noexcept;
  // The behavior was dropped before it began.
  void cancel(PyBehavior& behavior) noexcept;
  // Schedules counts a behavior as pending at its place and its cowns, and out again.
  void count(PyBehavior& behavior, int change) noexcept;

  void run(Worker& worker, Behavior& behavior, bool cancelled) noexcept final;
  void retire(Behavior& behavior) noexcept final;
  void drop(Cown* cown) noexcept final;
  void breathe(Worker& worker) noexcept override;

  size_t fiber_stack() const noexcept final;
  bool make_strand(Worker& worker, Strand& strand) noexcept final;
  void leave_strand(Worker& worker, Strand& strand) noexcept final;
  void enter_strand(Worker& worker, Strand& strand) noexcept final;
  void end_strand(Worker& worker, Strand& strand) noexcept final;

  // Of a worker that is about to sleep, or breathes: what others have left to the thread that made it goes.
  static void merge_references(Worker& worker) noexcept;

  // --- Values. `payload` is held by the caller unless something else is said. ---

  // A cown's payload with one reference. The value is stolen either way. Null with an error.
  virtual Payload* make_payload(PyObject* stolen) = 0;
  // The same for a pinned one (P4); on the main thread.
  virtual Payload* make_pinned(PyObject* stolen) = 0;
  // The slow part of value_of().
  virtual PyObject* bring(Payload& payload, bool writes) = 0;
  // Replaces the value; -1 with an error, and the old value stays. Steals either way. *old gets an old value that is
  // to be dropped here (it may run destructors), or null.
  virtual int put(Payload& payload, PyObject* stolen, PyObject** old) = 0;
  // For who does not hold the cown, in the window after wait(): a new reference, or null without an error (or with
  // MemoryError): only who holds it can bring the value here.
  virtual PyObject* peek(Payload& payload) = 0;
  // value_of() for a writer that may change the value in place from now on, beyond his hold.
  virtual PyObject* value_to_change(Payload& payload);
  // What a failed result has, for who does not hold it but reports it: a new reference. It is no exception, or null without
  // an error, if a holder has replaced it meanwhile; null with an error if it cannot be told.
  virtual PyObject* stored_error(Payload& payload) { return payload.peek(); }
  // A copy of the caller's own, as a reader; null with an error.
  virtual PyObject* copy_out(Payload& payload) = 0;
  // A copy that every thread and interpreter of the process can copy from. Null with an error. May run Python code.
  virtual std::unique_ptr<Posted> post(PyObject* value) = 0;
  // Is `value` what the cown has here?
  virtual bool owns(Payload& payload, PyObject* value) noexcept = 0;
  // The error (stolen) of a dropped behavior becomes the value of its result, unless somebody was quicker: `cancelled`
  // is looked at and cleared under the lock.
  virtual void name_cancelled(Payload& payload, PyObject* error, Mutex& lock) noexcept = 0;
  // A thread outside the workers is about to let go of what it held to write. -1 with TransferError: it stays here.
  virtual int end_hold(Payload&) { return 0; }

  // --- The life of the runtime, in the main interpreter ---

  // Before workers are started, as often as it is asked for. -1 with an error.
  virtual int prepare_start() { return 0; }
  // What each worker calls once at the next start, before any behavior (null: nothing). -1 with an error.
  virtual int set_initializer(PyObject* callable) = 0;
  // What workers have left for main to do: 0, or -1 with an error that must go on (KeyboardInterrupt).
  virtual int run_main_errands() { return 0; }
  // wait() is about to return: the workers are at rest.
  virtual void settle() noexcept {}
  // The workers have ended for good.
  virtual void close() noexcept {}
  // Around a fork; in the child this object is abandoned afterwards.
  virtual void before_fork() noexcept {}
  virtual void after_fork(bool /*in_child*/) noexcept {}
  // Adds the backend's own counters to a worker's dict. Errors stay set.
  virtual void add_stats(Worker&, PyObject*) {}

  // --- Hooks of the binding ---

  // Called for a behavior that failed in an explicit scope, so that the scope can collect it.
  void (*on_failure)(Scope& scope, Payload& result) = nullptr;
  // Called at the end of a behavior that has not left a batch or scope of its own.
  void (*on_left_open)(Context& here) noexcept = nullptr;

  Failures& failures() noexcept { return failures_; }
  // Drops the cowns whose last reference retire() has given back on this thread.
  void drop_dead(Context& here) noexcept;

 protected:
  // clear() and let_go() of what make() made.
  virtual void clear_call(PyBehavior& behavior) noexcept = 0;
  virtual void let_go_call(PyBehavior& behavior) noexcept = 0;
  // Calls the behavior's function: its value, or null with an error.
  virtual PyObject* invoke(PyBehavior& behavior) noexcept = 0;
  // The current behavior is about to wait, for a while perhaps.
  virtual void before_wait() noexcept {}
  // The behavior's values lie here now; before release.
  virtual void leave(PyBehavior&) noexcept {}
  // In a worker that starts: calls the initializer. Throws std::runtime_error if that raises.
  static void call_initializer(PyObject* callable);
  // The last of the cown: its value and its memory. No error may be lost or left. False: somebody else will drop it.
  virtual bool destroy(Payload& payload) noexcept = 0;
  // A failed behavior's exception (stolen) becomes the value of its result, which it still holds.
  virtual void store_error(Payload& result, PyObject* stolen) noexcept = 0;

 private:
  void call(Context& here, PyBehavior& behavior) noexcept;
  void store(PyBehavior& behavior, PyObject* value) noexcept;
  void fail(PyBehavior& behavior, PyObject* error) noexcept;

  Failures failures_;
};

// The process's. Set once, before anything is scheduled.
PyBackend& backend() noexcept;
void set_backend(PyBackend& chosen) noexcept;

// The value in the caller's home as a new reference; null with an error (a TransferError, mostly).
inline PyObject* value_of(Payload& payload, bool writes) {
  return payload.resident_here() ? Py_NewRef(payload.value) : backend().bring(payload, writes);
}

// True if the behavior holds a cown, other than `except`, whose value is `value`.
bool is_payload_of_another(PyBehavior& behavior, PyObject* value, const Payload* except, bool pinned_too) noexcept;

// `value` as a cown may take it over from the current behavior: a new reference, a copy if it is the payload of
// another cown that the behavior holds. `pinned`: the receiver, which may not exist yet, is. Null with an error.
PyObject* given_away(PyObject* value, const Payload* receiver, bool pinned);

}  // namespace boc::py
