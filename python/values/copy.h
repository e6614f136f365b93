// Copies of values: what a capture, a message, a noticeboard value or a result() hands over.
#pragma once

#include "compat.h"

namespace boc::py {

// A new reference: `o` itself if it goes as it is, else a deep copy. Aliases, cycles and subclasses survive;
// cowns, modules and classes inside go as they are. Null with a TransferError (a TypeError; the reason is its
// __cause__) if `o` cannot be copied; what is not an Exception (KeyboardInterrupt) comes through as itself.
// Runs Python code.
PyObject* copy_value(PyObject* o);
// What copy_value() does when `o` could not be copied: the error being raised becomes the cause of its TransferError.
void raise_not_copied(PyObject* o);

// Copies each of values[0..n) with one memo for all of them. 0, or -1 with the plain reason raised (not yet a
// TransferError), *failed the index of the value that could not be copied (-1 if it is not one value's fault)
// and every entry of `copies` null. `bytes` (may be null) gets about how many bytes had to be copied.
int copy_values(PyObject* const* values, Py_ssize_t n, PyObject** copies, Py_ssize_t* bytes, Py_ssize_t* failed);

}  // namespace boc::py
