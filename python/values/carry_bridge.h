// The way through pickle: what bocpy._carry makes of a value or a function, into an Encoded and back.
#pragma once

#include "encoded.h"

namespace boc::py {

// All of these run Python code, and raise whatever it raises as it is. What has one owner, a matrix for instance, is handed
// over or copied as current_transfer() says (xidata.h).

// A new one, or null with an error.
Encoded* pack(PyObject* value);
// The same for an exception, which loses what cannot be carried; as the last resort a TransferError stands in for it.
Encoded* pack_error(PyObject* exception);
// `object_of` makes the object for a buffer, see decoder.h.
PyObject* unpack(const Encoded& encoded, PyObject* (*object_of)(const Buffer&) noexcept);

// For bocpy._carry: _xi_supported(object) -> bool, does its type carry it by itself (xidata.h)?
extern PyMethodDef carry_methods[];

// A recipe: the function by value. `watches` gets a new reference to a tuple of (globals, name, value) that the bytes
// depend on, `mutable_data` whether there is data in the bytes that may change in place. 0, or -1 with an error.
int pack_function(PyObject* function, Encoded** out, PyObject** watches, bool* mutable_data);
// Another function each time. Null with an error.
PyObject* unpack_function(const Encoded& encoded);

// An Encoded from the three parts that _carry deals in: a bytes, a list of objects with the buffer protocol, a list of
// cowns, matrices and objects that their types carry. And back, as new references; -1 with an error.
Encoded* gather(PyObject* data, PyObject* buffers, PyObject* outside);
struct Parts {
  Ref data, buffers, outside;
};
int spread(const Encoded& encoded, PyObject* (*object_of)(const Buffer&) noexcept, Parts* parts);

}  // namespace boc::py
