#include "native_copy.h"

#include "doubles.h"
#include "immutable.h"

namespace boc::py {
namespace {

// Rough sizes of one entry, for the warning about large captures.
constexpr Py_ssize_t kListEntry = 8;
constexpr Py_ssize_t kDictEntry = 32;
constexpr Py_ssize_t kSetEntry = 24;

}  // namespace

NativeCopier::~NativeCopier() {
  for (auto& [original, copy] : memo_) {
    Py_DECREF(original);
    Py_DECREF(copy);
  }
}

PyObject* NativeCopier::remember(PyObject* o, PyObject* copy) {
  if (!copy) return nullptr;
  Ref made(copy);
  if (memo_.try_emplace(o, copy).second) {
    Py_INCREF(o);
    Py_INCREF(copy);
  }
  return made.release();
}

// Lists and dicts are copied whole first: the library does that safely while another thread may be changing
// the original, and the copy, which nobody else knows, is then gone through in peace.
PyObject* NativeCopier::list(PyObject* o) {
  Ref made(remember(o, PyList_GetSlice(o, 0, PY_SSIZE_T_MAX)));
  if (!made) return nullptr;
  bytes_ += kListEntry * PyList_GET_SIZE(made.get());
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(made.get()); ++i) {
    PyObject* item = PyList_GET_ITEM(made.get(), i);
    if (goes_as_is(item)) continue;
    Ref kept(Py_NewRef(item));
    PyObject* copied = copy(item);
    if (!copied) return nullptr;
    PyList_SetItem(made.get(), i, copied);
  }
  return made.release();
}

PyObject* NativeCopier::dict(PyObject* o) {
  Ref made(remember(o, PyDict_Copy(o)));
  if (!made) return nullptr;
  bytes_ += kDictEntry * PyDict_GET_SIZE(made.get());
  PyObject *key, *item;
  Py_ssize_t position = 0;
  while (PyDict_Next(made.get(), &position, &key, &item)) {
    if (!goes_as_is(key)) return give_up();
    if (goes_as_is(item)) continue;
    Ref kept_key(Py_NewRef(key));
    Ref kept_item(Py_NewRef(item));
    Ref copied(copy(item));
    // The key is there: its value is replaced in place, so that the iteration goes on undisturbed.
    if (!copied || PyDict_SetItem(made.get(), key, copied.get()) < 0) return nullptr;
  }
  return made.release();
}

PyObject* NativeCopier::set(PyObject* o) {
  Ref made(remember(o, PySet_New(o)));
  if (!made) return nullptr;
  bytes_ += kSetEntry * PySet_GET_SIZE(made.get());
  Ref iterator(PyObject_GetIter(made.get()));
  if (!iterator) return nullptr;
  while (Ref item{PyIter_Next(iterator.get())}) {
    if (!goes_as_is(item.get())) return give_up();
  }
  return PyErr_Occurred() ? nullptr : made.release();
}

PyObject* NativeCopier::tuple(PyObject* o) {
  Py_ssize_t size = PyTuple_GET_SIZE(o);
  Ref made(PyTuple_New(size));
  if (!made) return nullptr;
  bool changed = false;
  for (Py_ssize_t i = 0; i < size; ++i) {
    PyObject* item = PyTuple_GET_ITEM(o, i);
    PyObject* copied = copy(item);
    if (!copied) return nullptr;
    changed |= copied != item;
    PyTuple_SET_ITEM(made.get(), i, copied);
  }
  // A list inside that holds this tuple has made its copy by now.
  if (auto known = memo_.find(o); known != memo_.end()) return Py_NewRef(known->second);
  if (!changed) return remember(o, Py_NewRef(o));
  bytes_ += kListEntry * size;
  return remember(o, made.release());
}

PyObject* NativeCopier::byte_array(PyObject* o) {
  Ref made(remember(o, PyByteArray_FromObject(o)));
  if (made) bytes_ += PyByteArray_GET_SIZE(made.get());
  return made.release();
}

PyObject* NativeCopier::matrix(PyObject* o) {
  Ref made(remember(o, copy_matrix(o)));
  if (made) bytes_ += matrix_bytes(o);
  return made.release();
}

PyObject* NativeCopier::container(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  if (type == &PyList_Type) return list(o);
  if (type == &PyDict_Type) return dict(o);
  if (type == &PyTuple_Type) return tuple(o);
  if (type == &PySet_Type) return set(o);
  if (type == &PyByteArray_Type) return byte_array(o);
  if (is_matrix(o)) return matrix(o);
  // A frozenset that does not go as it is holds something that is no built-in value, or a deep structure of
  // tuples.
  return give_up();
}

PyObject* NativeCopier::copy(PyObject* o) {
  if (goes_as_is(o)) return Py_NewRef(o);
  if (auto known = memo_.find(o); known != memo_.end()) return Py_NewRef(known->second);
  if (Py_EnterRecursiveCall(" while copying a value")) return nullptr;
  PyObject* made = nullptr;
  try {
    made = container(o);
  } catch (...) {
    Py_LeaveRecursiveCall();
    throw;
  }
  Py_LeaveRecursiveCall();
  return made;
}

}  // namespace boc::py
