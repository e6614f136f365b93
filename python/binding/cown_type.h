// The Python object in front of a cown: a handle. Several may stand for the same cown.
#pragma once

#include "heap_type.h"
#include "py_backend.h"

namespace boc::py {

int add_cown_type(PyObject* module);

// What the caller may do with the value, or NONE with an error.
enum class Access {
  NONE,
  READ,
  WRITE,
  WINDOW,  // read, and write through Writing: after wait(), without a hold
};
Access access_to(Payload* payload);

// Takes the value out (None stays behind) and gives it, or raises it if the cown has failed. The caller holds it.
PyObject* take_value(Payload* payload);
// Raises the stored exception of a failed cown, which the caller holds (to write or not).
void raise_stored(Payload* payload, bool writes);

}  // namespace boc::py
