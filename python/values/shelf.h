// The clones and private globals dicts that a code object keeps (see clone.h), the last few of each.
//
// Free-threaded builds have several shelves per code object, one for each few threads, so that schedulers do
// not meet at one lock. At most `kMaxListed` code objects of a process keep anything; the oldest lets go for
// a new one.
#pragma once

#include "code_info.h"
#include "compat.h"

namespace boc::py {

// The bindings that are looked for, borrowed: names first, then cells.
struct Wanted {
  PyFunctionObject* function;
  PyObject* const* values;
  Py_ssize_t names;
  Py_ssize_t cells;
  bool own_globals;  // the function's own globals dict serves; its names are not compared
};

// A kept clone with exactly these bindings as a new reference, or null (no error).
PyObject* find_clone(CodeInfo* info, const Wanted& wanted) noexcept;

// A kept private globals dict of the same module as a new reference, or null (no error): one with exactly
// these names (*exact true) or else one with others.
PyObject* find_globals(CodeInfo* info, const Wanted& wanted, bool* exact) noexcept;

// Keeps `globals`, and `clone` if it is not null. 0, or -1 with a MemoryError.
int keep_clone(CodeInfo* info, const Wanted& wanted, PyObject* globals, PyObject* clone);

}  // namespace boc::py
