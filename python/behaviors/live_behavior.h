// A behavior that runs in the interpreter where it was scheduled: its function and arguments are plain references.
#pragma once

#include "capture.h"
#include "parameters.h"

namespace boc::py {

// One block: this, args, requests, the result's request.
// Invariants
//   Y1  args[0] is free for the callee (vectorcall's argument offset); args[1..nargs] are strong references.
//   Y2  references are gone after run(): retire() only gives the memory back.
//   Y3  A pinned one (Lane::MAIN) refers to objects of the main interpreter, which go on the main thread, wherever it is
//       cleared.
struct LiveBehavior : PyBehavior {
  PyObject* target = nullptr;   // strong
  PyObject* kwnames = nullptr;  // strong or null
  PyObject* code = nullptr;     // strong or null: keeps the site
  uint32_t nargs = 0;
  uint32_t positional = 0;
  PyObject* args[1];
};

// Null with an error.
LiveBehavior* make_live(CallPlan& plan, const Parameters& parameters, PyObject* const* extras, Py_ssize_t n);
// Calls it: its value, or null with an error.
PyObject* call_live(LiveBehavior& behavior) noexcept;
void clear_live(LiveBehavior& behavior) noexcept;
void let_go_live(LiveBehavior& behavior) noexcept;

}  // namespace boc::py
