// The window after wait(): until the next start or @when every thread outside behaviors may use every value.
//
// Invariants
//   W1  Whoever replaces a value, or brings it to the interpreter where it is asked for, holds the cown meanwhile, by a turn
//       of his own if he has none. Who finds it in place holds nothing (PyBackend::peek).
//   W2  What a turn in the window leaves in main's interpreter, where workers have others, is listed. The end of the window makes it ready for the workers, unless
//       somebody holds the cown just then: workers fetch it from here in that case.
#pragma once

#include "turns.h"

namespace boc::py {

// A new reference to the value, or null with an error.
PyObject* look_in_window(Payload& payload);
// Holds a cown that nobody else does, after `patience` seconds at most. Null with an error; `what` is the caller's business,
// for the message.
Turn* take_in_window(Payload& payload, double patience, const char* what);
void finish_in_window(Payload& payload, Turn& turn) noexcept;
// The window is over. May run Python code; leaves no error.
void settle_window() noexcept;

}  // namespace boc::py
