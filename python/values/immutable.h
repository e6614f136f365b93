// Which values go into a capture, a message or a copy as they are.
#pragma once

#include "compat.h"

namespace boc::py {

// True if `o` may be shared as it is: None, bool, int, float, complex, str, bytes, Ellipsis, NotImplemented,
// ranges, slices, exact tuples and frozensets of such, cowns, modules, classes, code objects, built-in
// functions, bound methods of such, and functions whose cells and defaults are all such (a function that
// names itself counts by the rest of its cells). Sets no error, runs no Python code. A structure that is too
// deep or too large to decide here answers false: copying it then gives the same object back.
bool goes_as_is(PyObject* o) noexcept;

// The simplest of them: such objects refer to nothing, and freeing them runs no code of anybody's.
inline bool is_atom_type(PyTypeObject* type) noexcept {
  return type == Py_TYPE(Py_None) || type == &PyLong_Type || type == &PyUnicode_Type || type == &PyFloat_Type ||
         type == &PyBool_Type || type == &PyBytes_Type || type == &PyComplex_Type;
}

bool is_cown(PyObject* o) noexcept;

}  // namespace boc::py
