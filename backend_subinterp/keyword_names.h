// CPython 3.12.0 to 3.12.3 keep, for every C function with keywords, the tuple of the keywords' names in a static
// variable. The interpreter that calls the function first makes the tuple, main frees it at the end: a tuple of a
// worker's interpreter goes to the wrong allocator, and the process aborts while it exits. (From 3.12.4 on the tuple is
// always made in main.)
#pragma once

namespace boc::py {

// In main, attached, after the last sub-interpreter has ended and before main ends; also in the child of a fork, whose
// parent's sub-interpreters are gone too. From then on main leaves those tuples alone: a few KB stay until the process
// is gone. May be called again; does nothing where CPython needs no help.
void adopt_keyword_names() noexcept;

}  // namespace boc::py
