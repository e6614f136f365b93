// The C side of bocpy._codec: what its picklers ask about every object, and functions made from parts.
#pragma once

#include "compat.h"

namespace boc::py {

// Copies all of values[0..n) through bocpy._codec with one memo. 0, or -1 as copy_values() says.
int copy_with_codec(PyObject* const* values, Py_ssize_t n, PyObject** copies, Py_ssize_t* bytes, Py_ssize_t* failed);

// The functions that _codec calls back, as a dict {name: built-in function}: a new reference, or null with an
// error.
//   by_reference(refs, holder) -> persistent_id   for a pickler whose result is read in this interpreter: the
//   returned
//       function appends to the list `refs` what goes as it is (see immutable.h), and answers its index; None
//       for all else. Buffers of bytearrays are copied there once, instead of into the pickle and out of it.
//   function_shell(f) -> g   a function with f's code and globals, empty cells and no defaults.
//   fill_function(g, cells, defaults, kwdefaults, attributes) -> None
//   copy_shareable(o) -> another such object, made by the functions that o's type has registered with CPython (xidata.h);
//       NotImplemented if it has not.
PyObject* codec_callbacks();

}  // namespace boc::py
