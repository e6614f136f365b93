// The main thread of the main interpreter: the values of pinned cowns live there, and die there.
#pragma once

#include "compat.h"

namespace boc::py {

// Is the calling thread the main thread of the main interpreter, and in that interpreter?
bool on_main_thread() noexcept;
// `ident` as of PyThread_get_thread_ident(). Once, before anything is pinned, and in the child of a fork.
void set_main_thread(unsigned long ident) noexcept;

// Gives up an object of the main interpreter (stolen, may be null), whose destructor belongs to the main thread. There it
// goes at once; from any other thread, of any interpreter, it is left to the main thread: to its next bytecode, or the
// next time that it waits or pumps. Without memory it stays for ever.
void drop_on_main(PyObject* object) noexcept;
// On the main thread: drops what others have left. May run destructors; no error is set before or after.
void run_main_drops() noexcept;

// In the child of a fork: what the parent's threads left is the parent's.
void main_drops_after_fork() noexcept;

}  // namespace boc::py
