// Places in the program: where behaviors were written, how many of each are pending, what runs now.
#pragma once

#include "code_info.h"
#include "context.h"

namespace boc::py {

// The place of a code object, made at its first behavior; null if there is no memory, or no code. Lives as long as the
// code, and as any reference on it.
Site* site_of(CodeInfo* info, PyObject* code) noexcept;
void keep_site(Site* site) noexcept;
void let_go_site(Site* site) noexcept;
// "name (file:line)"; "<callable>" for null.
const char* describe_site(const Site* site) noexcept;
// Counts its pending behaviors; each thread in a shard.
void count_site(Site* site, unsigned shard, int change) noexcept;

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
