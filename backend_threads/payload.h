// What the threads backend keeps behind a cown, and what it runs: plain references to Python objects.
#pragma once

#include <utility>

#include "boc/pool.h"
#include "boc/scheduler.h"
#include "code_info.h"
#include "compat.h"

namespace boc::py {

struct Batch;

// Invariants
//   P1  value is never null and belongs to whoever holds the cown. Readers share it: only name_cancellation() writes
//       under them, before it releases `cancelled`. In the window after wait() every thread may look (peek(), which
//       those who hold it to write make safe by replace()), and write after a hold of its own (Writing).
//   P2  failed without looked: the failure is listed in Failures until somebody looks, or it is reported.
struct Payload : Cown, Pooled {
  PyObject* value;                // strong
  PyObject* origin = nullptr;     // strong; of a failed result: "name (file:line)"
  atomic<Batch*> batch{nullptr};  // the open batch of the behavior that will make this result
  uint32_t generation;            // of the process (counts forks): a child does not touch its parent's cowns
  atomic<uint32_t> pending{0};    // behaviors scheduled on it that have not ended, for repr
  // Atomic: readers of one cown look at the same time, and repr() looks at cowns that others hold.
  atomic<bool> failed{false};
  atomic<bool> looked{false};
  atomic<bool> cancelled{false};   // failed, and the CancelledError is made when somebody looks; value: None until then
  atomic<bool> registered{false};  // has been pickled: known to the registry of live cowns

#ifdef Py_GIL_DISABLED
  Mutex value_mutex;  // makes peek() and replace() one step each; elsewhere the GIL does
#endif

  // The value as a new reference, for who does not hold the cown.
  PyObject* peek() noexcept {
    [[maybe_unused]] auto guard = lock_value();
    return Py_NewRef(value);
  }
  // Puts another value in the place of the present one, which is the caller's then.
  PyObject* replace(PyObject* stolen) noexcept {
    [[maybe_unused]] auto guard = lock_value();
    return std::exchange(value, stolen);
  }

  Payload(PyObject* stolen, uint32_t g) noexcept : value(stolen), generation(g) {
    strong_only.store(true, relaxed);  // C4: handles come from handles, until it is pickled
  }

 private:
#ifdef Py_GIL_DISABLED
  std::unique_lock<Mutex> lock_value() noexcept { return std::unique_lock(value_mutex); }
#else
  static bool lock_value() noexcept { return true; }
#endif
};

// A behavior in Python. One block: this, args, requests, the result's request.
// Invariants
//   Y1  args[0] is free for the callee (vectorcall's argument offset); args[1..nargs] are strong references.
//   Y2  references are gone after run(): retire() only gives the memory back.
struct PyBehavior : Behavior {
  PyObject* target = nullptr;   // strong
  PyObject* kwnames = nullptr;  // strong or null
  Payload* result = nullptr;    // kept alive by its queue until release
  PyObject* code = nullptr;     // strong or null: tells where the behavior was written
  CodeInfo* info = nullptr;     // of code
  uint32_t nargs = 0;
  uint32_t positional = 0;
  uint32_t bytes = 0;
  PyObject* args[1];
};

// A thread outside the workers that waits to hold some cowns, and then holds them.
struct Turn : Behavior {
  Waiter turn;
  uint32_t left = 0;  // how many of its cowns the thread has not released yet
  uint32_t bytes = 0;
};

}  // namespace boc::py
