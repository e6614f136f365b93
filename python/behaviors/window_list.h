// Cowns whose values the window after wait() has brought to main's interpreter, on a backend with several: the end of the
// window makes them ready for the workers (window.h).
#pragma once

#include <vector>

#include "payload.h"

namespace boc::py {

// The table has no references: a cown that nobody else has any more dies, and forget_in_window() takes it out. The caller
// has a reference. Out of memory it is not listed, and workers fetch the value.
void list_in_window(Payload& payload) noexcept;
// Of a payload that dies, if in_window is set.
void forget_in_window(Payload& payload) noexcept;
// Empties the table; with a reference on each.
std::vector<Payload*> take_listed_in_window() noexcept;
// In the child: the cowns are the parent's.
void window_list_after_fork() noexcept;

}  // namespace boc::py
