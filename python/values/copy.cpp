#include "copy.h"

#include <new>

#include "codec_bridge.h"
#include "immutable.h"
#include "native_copy.h"
#include "py_errors.h"

namespace boc::py {
namespace {

void drop_all(PyObject** copies, Py_ssize_t n) noexcept {
  for (Py_ssize_t i = 0; i < n; ++i) Py_CLEAR(copies[i]);
}

// 1: all copied; 0: something needs the codec; -1: an error is set.
int copy_natively(PyObject* const* values, Py_ssize_t n, PyObject** copies, Py_ssize_t* bytes, Py_ssize_t* failed) {
  try {
    NativeCopier copier;
    for (Py_ssize_t i = 0; i < n; ++i) {
      copies[i] = copier.copy(values[i]);
      if (copies[i]) continue;
      if (!copier.foreign()) *failed = i;
      drop_all(copies, n);
      return copier.foreign() ? 0 : -1;
    }
    *bytes = copier.bytes();
    return 1;
  } catch (const std::bad_alloc&) {
    drop_all(copies, n);
    PyErr_NoMemory();
    return -1;
  }
}

}  // namespace

int copy_values(PyObject* const* values, Py_ssize_t n, PyObject** copies, Py_ssize_t* bytes, Py_ssize_t* failed) {
  Py_ssize_t size = 0;
  *failed = -1;
  for (Py_ssize_t i = 0; i < n; ++i) copies[i] = nullptr;
  int done = copy_natively(values, n, copies, &size, failed);
  if (done < 0) return -1;
  // A pickler knows all of a graph or nothing: with one memo for everything, everything goes through it.
  if (!done && copy_with_codec(values, n, copies, &size, failed) < 0) return -1;
  if (bytes) *bytes = size;
  return 0;
}

PyObject* copy_value(PyObject* o) {
  if (goes_as_is(o)) return Py_NewRef(o);
  PyObject* copied = nullptr;
  Py_ssize_t failed = -1;
  if (copy_values(&o, 1, &copied, nullptr, &failed) == 0) return copied;
  raise_not_copied(o);
  return nullptr;
}

void raise_not_copied(PyObject* o) {
  Ref what(PyUnicode_FromFormat("this value of type '%s'", Py_TYPE(o)->tp_name));
  if (what) {
    raise_transfer_error(what.get(),
                         "Hand over plain data, or keep the value in a Cown and let a behavior work on it there");
  }
}

}  // namespace boc::py
