// The Python objects that stand for cowns: handles, of which several may stand for the same cown.
#pragma once

#include "payload.h"

namespace boc::py {

struct CownObject {
  PyObject_HEAD Payload* payload;  // strong (Cown::ref)
  PyObject* weak_list;
};

// read(...): asks for reading only.
struct ReadObject {
  PyObject_HEAD PyObject* inner;  // a cown, or a list or tuple of them
};

inline bool is_cown_object(PyObject* o) noexcept {
  return PyObject_TypeCheck(o, home().cown_type);
}
inline bool is_read_object(PyObject* o) noexcept {
  return Py_IS_TYPE(o, home().read_type);
}
inline Payload* payload_of(PyObject* cown) noexcept {
  return reinterpret_cast<CownObject*>(cown)->payload;
}
// What a read(...) asks for; any other object is its own answer. Borrowed.
inline PyObject* inner_of(PyObject* item) noexcept {
  return is_read_object(item) ? reinterpret_cast<ReadObject*>(item)->inner : item;
}

// A new handle in the caller's home; takes over one reference on the payload, also on failure.
PyObject* wrap_payload(Payload* stolen);

// -1 with RuntimeError if the cown belongs to the process that this one was forked from.
int check_generation(const Payload* payload);

// Counts forks of this process; cowns remember it.
extern uint32_t generation;

}  // namespace boc::py
