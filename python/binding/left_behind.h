// What threads and behaviors leave open when they end: cowns they hold, batches, scopes.
#pragma once

#include "context.h"

namespace boc::py {

// Ends all of that: cowns go on to the next, nothing of the batches is scheduled, scopes count as left. For a thread
// that waits, as what it waits for may depend on it. May run Python code; no error must be set.
void end_left_behind() noexcept;
// The same for what the caller has open, at its own end or that of its behavior.
void end_open(Context& context) noexcept;

}  // namespace boc::py
