// What lies behind a cown, and what a behavior consists of, whatever the backend.
#pragma once

#include <utility>

#include "boc/pool.h"
#include "boc/scheduler.h"
#include "compat.h"
#include "home.h"

namespace boc::py {

struct Batch;
struct NativeValue;
struct Site;

// The base of both backends' payloads.
// Invariants
//   U1  value belongs to whoever holds the cown. Readers share it: only name_cancellation() writes under them, before
//       it releases `cancelled`. In the window after wait() every thread may look (peek(), which those who hold it to
//       write make safe by replace()), and write after a hold of its own (Writing).
//   U2  failed without looked: the failure is listed in Failures until somebody looks, or it is reported.
//   U3  value is an object of `home`'s interpreter and is touched only there. Null: the value is not resident (the
//       sub-interpreter backend's inline and encoded states); never null on the threads backend.
//   P4  pinned: value is an object of the main interpreter, never null, and only the main thread touches it and drops it
//       (drop_on_main); no behavior that holds the cown runs anywhere else.
struct Payload : Cown {
  PyObject* value;                // strong
  Home* home;                     // where value lives
  Site* origin = nullptr;         // of a failed result: the place of its behavior; a reference of its own
  NativeValue* native = nullptr;  // native_value.h; owned
  atomic<Batch*> batch{nullptr};  // the open batch of the behavior that will make this result
  uint32_t generation;            // of the process (counts forks): a child does not touch its parent's cowns
  atomic<uint32_t> pending{0};    // behaviors scheduled on it that have not ended, for repr
  // Atomic: readers of one cown look at the same time, and repr() looks at cowns that others hold.
  atomic<bool> failed{false};
  atomic<bool> looked{false};
  atomic<bool> cancelled{false};   // failed, and the CancelledError is made when somebody looks; value: None until then
  atomic<bool> registered{false};  // has been pickled: known to the registry of live cowns
  bool pinned = false;             // P4; set when it is made
  atomic<bool> in_window{false};   // listed for the end of the window after wait() (window_list.h)

#ifdef Py_GIL_DISABLED
  Mutex value_mutex;  // makes peek() and replace() one step each; elsewhere the GIL does
#endif

  // The value as a new reference, for who does not hold the cown; null if it is not resident in the caller's home.
  PyObject* peek() noexcept {
    [[maybe_unused]] auto guard = lock_value();
    return home == &boc::py::home() ? Py_XNewRef(value) : nullptr;
  }
  // Puts another value (of the caller's home) in the place of the present one, which is the caller's then.
  PyObject* replace(PyObject* stolen) noexcept {
    [[maybe_unused]] auto guard = lock_value();
    return std::exchange(value, stolen);
  }
  bool resident_here() const noexcept { return value && home == &boc::py::home(); }

  Payload(PyObject* stolen, Home* where, uint32_t g) noexcept : value(stolen), home(where), generation(g) {
    strong_only.store(true, relaxed);  // C4: handles come from handles, until it is pickled
  }

#ifdef Py_GIL_DISABLED
  std::unique_lock<Mutex> lock_value() noexcept { return std::unique_lock(value_mutex); }
#else
  static bool lock_value() noexcept { return true; }
#endif
};

// Set with the first pinned cown of the process; a thread that has a handle of one finds it set.
extern atomic<bool> pinned_cowns_exist;

// For who found the cown in a table (C4): a reference, unless its last one is just going.
inline bool ref_if_alive(Payload& payload) noexcept {
  uint32_t refs = payload.refs.load(relaxed);
  while (refs != 0) {
    if (payload.refs.compare_exchange_weak(refs, refs + 1, relaxed)) return true;
  }
  return false;
}

// The common part of both backends' behaviors.
struct PyBehavior : Behavior {
  Payload* result = nullptr;  // kept alive by its queue until release
  Site* site = nullptr;       // where it was written; kept alive by the backend's part. May be null
  uint32_t bytes = 0;         // of its block
  bool native = false;        // a NativeBehavior
  bool live = false;          // a LiveBehavior
  bool gave_up = false;       // something that it waited for was given up by others: CancelledError
};

// A body that is no Python function: the behavior behind a scope's `done`, and those of other extension modules.
struct NativeBehavior : PyBehavior {
  PyObject* (*body)(void* argument);  // a new reference, or null with an error; attached to the worker's interpreter
  void (*let_go)(void* argument);     // called once, unless the argument is null
  void* argument;
  bool keeps = false;  // a reference of its own to each cown of `requests`: an open batch has queued it nowhere yet
};

// A thread outside the workers that waits to hold some cowns, and then holds them.
struct Turn : Behavior {
  Waiter turn;
  uint32_t left = 0;  // how many of its cowns the thread has not released yet
  uint32_t bytes = 0;
};

}  // namespace boc::py
