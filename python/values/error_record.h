// Exceptions that outlive their behavior keep their traceback as records instead of frames.
#pragma once

#include "compat.h"

namespace boc::py {

// Replaces the traceback of `exc`, of its causes and contexts and of the members of exception groups by
// (file, function, line) records, so that no frame (and nothing that a frame's variables hold) outlives the
// behavior. The records are shown when the exception is shown again: as its __cause__ if it has none, else as
// a note. Formatting, and reading the source, happen then. Called before the behavior's cowns are released;
// may run destructors of what the frames held. Leaves no error set, keeps one that is.
void detach_traceback(PyObject* exc) noexcept;

}  // namespace boc::py
