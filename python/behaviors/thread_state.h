// Thread states that are made to fit the stack on which they will be used.
#pragma once

#include "boc/strand.h"
#include "compat.h"

namespace boc::py {

// The stack for strands on the worker's own thread; 0: this CPython can have only one thread state on a thread.
size_t fiber_stack_bytes() noexcept;

// A thread state of the interpreter, detached, for the stack of a strand, which runs on the calling thread. Null: no memory.
PyThreadState* new_thread_state(PyInterpreterState* interpreter, Strand& strand) noexcept;
// The same for the stack that the caller is on.
PyThreadState* new_thread_state(PyInterpreterState* interpreter) noexcept;

}  // namespace boc::py
