// Which C code is between a behavior and where it wants to wait.
#pragma once

namespace boc::py {

// May other behaviors run on this thread while the caller, which is somewhere below `base` on the stack, waits? Not if there
// are frames of others in between than Python's, its standard library's and ours: libraries in C++ keep lists per thread
// of the calls that are open and end the process if these do not end last in, first out (pybind11 does). Attached.
bool may_leave_thread(const void* base) noexcept;

// Is the caller in the middle of an import? Attached; leaves no error.
bool importing() noexcept;

}  // namespace boc::py
