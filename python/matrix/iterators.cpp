#include "iterators.h"

#include <new>

#include "heap_type.h"
#include "methods.h"
#include "view.h"

namespace boc::py {
namespace {

struct IteratorObject {
  PyObject_HEAD PyObject* source;
  Each each;
  bool read_only;
  std::atomic<Py_ssize_t> next;  // several threads may share an iterator: each item goes to one of them
};

IteratorObject* as_iterator(PyObject* o) noexcept {
  return reinterpret_cast<IteratorObject*>(o);
}

Py_ssize_t length_of(const IteratorObject* it) noexcept {
  if (it->each == Each::view_values) return as_view(it->source)->count;
  const Block b = block_of(it->source);
  switch (it->each) {
    case Each::values:
      return b.size();
    case Each::column_views:
      return b.columns;
    default:
      return b.rows;
  }
}

PyObject* iterator_next(PyObject* self) {
  IteratorObject* it = as_iterator(self);
  const Py_ssize_t n = length_of(it);
  // No increment at the end: it could overflow one day.
  if (it->next.load(std::memory_order_relaxed) >= n) return nullptr;
  const Py_ssize_t i = it->next.fetch_add(1, std::memory_order_relaxed);
  if (i >= n) return nullptr;
  switch (it->each) {
    case Each::rows:
      return matrix_item(it->source, i);
    case Each::values:
      return PyFloat_FromDouble(as_matrix(it->source)->doubles->data()[i]);
    case Each::row_views:
      return new_view(it->source, true, i, nullptr, it->read_only);
    case Each::column_views:
      return new_view(it->source, false, i, nullptr, it->read_only);
    case Each::view_values:
      return PyFloat_FromDouble(view_at(as_view(it->source), i));
  }
  return nullptr;
}

PyObject* iterator_hint(PyObject* self, PyObject*) {
  const Py_ssize_t left = length_of(as_iterator(self)) - as_iterator(self)->next.load(std::memory_order_relaxed);
  return PyLong_FromSsize_t(left > 0 ? left : 0);
}

void iterator_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_DECREF(as_iterator(self)->source);
  PyObject_Free(self);
  Py_DECREF(type);
}

PyMethodDef iterator_methods[] = {{"__length_hint__", iterator_hint, METH_NOARGS, nullptr},
                                  {nullptr, nullptr, 0, nullptr}};

PyType_Slot iterator_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(iterator_dealloc)},
                                {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
                                {Py_tp_iternext, reinterpret_cast<void*>(iterator_next)},
                                {Py_tp_methods, iterator_methods},
                                {0, nullptr}};
PyType_Spec iterator_spec = {"bocpy.MatrixIterator", sizeof(IteratorObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
                             iterator_slots};

}  // namespace

PyObject* new_iterator(PyObject* source, Each each, bool read_only) {
  auto* made = PyObject_New(IteratorObject, home().matrix_iterator_type);
  if (!made) return nullptr;
  made->source = Py_NewRef(source);
  made->each = each;
  made->read_only = read_only;
  new (&made->next) std::atomic<Py_ssize_t>(0);
  return reinterpret_cast<PyObject*>(made);
}

PyTypeObject* make_iterator_type(PyObject* module) {
  return make_type(module, &iterator_spec, nullptr);
}

}  // namespace boc::py
