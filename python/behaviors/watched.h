// Types of other extension modules whose objects are told when they become the value of a cown, or no longer are: on the
// threads backend, where nothing else happens to them then.
#pragma once

#include "payload.h"

namespace boc::py {

struct WatchedType {
  PyTypeObject* type;  // strong, for ever
  void (*given)(PyObject* object, Payload* cown);
  WatchedType* next;
};

// Only grows, at its front (release; partner: the acquire in tell_given()).
extern atomic<WatchedType*> watched_types;

// -1 with MemoryError.
int watch_type(PyTypeObject* type, void (*given)(PyObject* object, Payload* cown));

// `cown` may be null: the object is no cown's value now. Runs no Python code.
inline void tell_given(PyObject* object, Payload* cown) noexcept {
  for (WatchedType* one = watched_types.load(acquire); one; one = one->next) {
    if (Py_IS_TYPE(object, one->type)) return one->given(object, cown);
  }
}

}  // namespace boc::py
