// From the bytes back to a Python value of the interpreter that the caller is attached to.
#pragma once

#include "encoded.h"

namespace boc::py {

// A new value, which nobody else has: each call makes another one. Null with an error. Runs Python code if the value
// was pickled.
PyObject* decode(const Encoded& encoded);

// The same for the last time: the encoded form is given up after that, though others may still refer to it now.
PyObject* decode_last(const Encoded& encoded);

// The same for the caller's own reference. If it is the only one, large buffers move into the value without a copy.
// After a failure the reference stays the caller's, and whole.
PyObject* take(EncodedRef& encoded);

// A buffer as a new bytes or (not readonly) bytearray object.
PyObject* buffer_object(const Buffer& buffer) noexcept;

}  // namespace boc::py
