// PinnedCown: a cown whose value never leaves the main thread of the main interpreter.
#pragma once

#include "cown_type.h"

namespace boc::py {

// After add_cown_type().
int add_pinned_type(PyObject* module);

// access_to() of a pinned cown: on the main thread everything is allowed at any time, as no behavior that has it runs
// anywhere else. But what read() has promised holds.
Access access_to_pinned(Payload* payload);

}  // namespace boc::py
