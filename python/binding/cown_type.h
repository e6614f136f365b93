// The Python object in front of a cown: a handle. Several may stand for the same cown.
#pragma once

#include "thread_backend.h"

namespace boc::py {

struct CownObject {
  PyObject_HEAD Payload* payload;  // strong (Cown::ref)
  PyObject* weak_list;
};

extern PyTypeObject* cown_type;

int add_cown_type(PyObject* module);

inline bool is_cown_object(PyObject* o) noexcept {
  return PyObject_TypeCheck(o, cown_type);
}
inline Payload* payload_of(PyObject* cown) noexcept {
  return reinterpret_cast<CownObject*>(cown)->payload;
}

// A new handle; takes over one reference on the payload, also on failure.
PyObject* wrap_payload(Payload* stolen);

// -1 with RuntimeError if the cown belongs to the process that this one was forked from.
int check_generation(const Payload* payload);

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
// Raises the stored exception of a failed cown.
void raise_stored(Payload* payload);

// Builds a type from a spec, immortal where shared reference counts would be fought over.
PyTypeObject* make_type(PyObject* module, PyType_Spec* spec, PyTypeObject* base);
void immortalize(PyObject* o) noexcept;

}  // namespace boc::py
