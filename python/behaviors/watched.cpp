#include "watched.h"

#include <new>

namespace boc::py {

atomic<WatchedType*> watched_types{nullptr};

int watch_type(PyTypeObject* type, void (*given)(PyObject* object, Payload* cown)) {
  auto* one = new (std::nothrow) WatchedType{type, given, watched_types.load(relaxed)};
  if (!one) {
    PyErr_NoMemory();
    return -1;
  }
  Py_INCREF(type);
  while (!watched_types.compare_exchange_weak(one->next, one, release, relaxed)) {
  }
  return 0;
}

}  // namespace boc::py
