// From a Python value to bytes that any interpreter of the process can decode.
#pragma once

#include "encoded.h"
#include "xidata.h"

namespace boc::py {

// A new one; null with the plain reason raised, which the caller makes a TransferError. None, numbers, strings, bytes,
// bytearrays, cowns, and exact built-in containers of such go the short way, with what is shared inside and cycles;
// the rest is pickled as a whole, which runs Python code.
// Whoever changes the value meanwhile gets some mixture, never a crash.
Encoded* encode(PyObject* value);

// The same for a value of which the caller has a counted reference, which it hands over if this succeeds; else it
// keeps it. A large bytes or bytearray that nobody else refers to moves without a copy, and so do all matrices in it:
// who still refers to one shares its memory with the new holder, as on threads. *left gets what is left of the value, for
// the caller to drop when nobody finds it any more (it may run destructors), or null.
Encoded* encode_stolen(PyObject* value, PyObject** left);

// The same, but the short way or not at all: null without an error where that does not do. Runs no Python code. What `kind`
// is `move` for is given up if this succeeds, and matrices move; of a `copy`, larger ones than `most` bytes do not do.
Encoded* encode_shortly(PyObject* value, Transfer kind, Py_ssize_t most) noexcept;

}  // namespace boc::py
