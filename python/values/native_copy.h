// Copies of exact built-in containers without pickle.
#pragma once

#include <unordered_map>

#include "compat.h"

namespace boc::py {

// Copies list, dict, set, frozenset, tuple, bytearray and Matrix (no subclasses) of each other and of what goes as it
// is. One copier has one memo: what two values share, their copies share. At the first thing of another kind
// it gives up.
class NativeCopier {
 public:
  NativeCopier() = default;
  NativeCopier(const NativeCopier&) = delete;
  NativeCopier& operator=(const NativeCopier&) = delete;
  ~NativeCopier();

  // A new reference; null with an error set, or null with foreign() true and no error. May throw
  // std::bad_alloc.
  PyObject* copy(PyObject* o);

  bool foreign() const noexcept { return foreign_; }
  Py_ssize_t bytes() const noexcept { return bytes_; }  // about how many were copied

 private:
  PyObject* container(PyObject* o);
  PyObject* list(PyObject* o);
  PyObject* dict(PyObject* o);
  PyObject* set(PyObject* o);
  PyObject* tuple(PyObject* o);
  PyObject* byte_array(PyObject* o);
  PyObject* matrix(PyObject* o);
  PyObject* give_up() noexcept {
    foreign_ = true;
    return nullptr;
  }
  PyObject* remember(PyObject* o, PyObject* copy);

  std::unordered_map<PyObject*, PyObject*> memo_;  // strong references on both sides
  Py_ssize_t bytes_ = 0;
  bool foreign_ = false;
};

}  // namespace boc::py
