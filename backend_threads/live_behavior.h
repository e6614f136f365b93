// A behavior as the threads backend keeps it: its function and arguments as plain references.
#pragma once

#include "payload.h"

namespace boc::py {

// One block: this, args, requests, the result's request.
// Invariants
//   Y1  args[0] is free for the callee (vectorcall's argument offset); args[1..nargs] are strong references.
//   Y2  references are gone after run(): retire() only gives the memory back.
struct LiveBehavior : PyBehavior {
  PyObject* target = nullptr;   // strong
  PyObject* kwnames = nullptr;  // strong or null
  PyObject* code = nullptr;     // strong or null: keeps the site
  uint32_t nargs = 0;
  uint32_t positional = 0;
  PyObject* args[1];
};

}  // namespace boc::py
