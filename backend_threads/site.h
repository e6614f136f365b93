// Places in the program: where behaviors were written, how many of each are pending, what runs now.
#pragma once

#include "context.h"

namespace boc::py {

// "name (file:line)" of a code object, or "<callable>" for null; null without an error set if there is no memory.
PyObject* describe_site(PyObject* code) noexcept;

// Makes the place known before its first behavior is counted.
void enter_site(CodeInfo* info, PyObject* code) noexcept;

// Worker contexts, for reports of what runs.
void register_context(Context& context);
void unregister_context(Context& context) noexcept;

// A list of (description, pending, running) for a report; null with an error.
PyObject* pending_report();

// The cowns that have been pickled, by address, so that unpickling finds them while they live.
void forget_live(Payload& payload) noexcept;
void remember_live(Payload& payload);
// The live cown with this address and a new reference on it; null if there is none.
Payload* find_live(uintptr_t address) noexcept;

// A behavior forked, and its child came back from the body: the child has no worker to return to.
[[noreturn]] void end_forked_child(PyObject* value) noexcept;

void sites_after_fork();

}  // namespace boc::py
