// The interpreters of the workers: each has its own GIL and its own allocator, and is made and ended by its thread.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string>

namespace boc::py {

// Both are called by one and the same thread, which has no Python frame on its stack.
class SubInterpreter {
 public:
  // Attached to nothing (no thread state, no GIL of any interpreter, no lock of ours). Returns the new interpreter's
  // first thread state, attached to the calling thread; or null, attached to nothing, with the reason in `why`.
  static PyThreadState* create(std::string& why) noexcept;

  // `state` is what create() returned, and is attached. Joins the threads that user code started with `threading`
  // and waits up to a second for all other thread states of the interpreter to go. Then ends it, which runs user code
  // (threading's and atexit's callbacks, destructors). Attached to nothing afterwards.
  // False: a thread is still in it. Then it was not ended but forgotten (fork_guard.h); its memory stays in use, what
  // lives in it is never destroyed, and the process can exit.
  static bool end(PyThreadState* state) noexcept;
};

}  // namespace boc::py
