#include "immutable.h"

#include "home.h"

namespace boc::py {
namespace {

constexpr int kMaxDepth = 32;
// How many containers one question may look into. A tuple that holds itself many times over (t = (t, t),
// forty deep) would otherwise take for ever.
constexpr int kMaxContainers = 10000;

struct Walk {
  int depth = 0;
  int containers = 0;
  PyObject* functions[kMaxDepth];  // those being looked into: a function that names itself is judged by the rest
  int function_count = 0;

  bool value(PyObject* o) noexcept;

 private:
  bool compound(PyObject* o, PyTypeObject* type) noexcept;
  bool tuple(PyObject* o) noexcept;
  bool frozen_set(PyObject* o) noexcept;
  bool function(PyObject* o) noexcept;
  bool closure(PyObject* cells) noexcept;
  bool keyword_defaults(PyObject* dict) noexcept;
};

// Slots, methods and getters of built-in types: nothing in them can change.
bool is_descriptor_type(PyTypeObject* type) noexcept {
  return type == &PyMethodDescr_Type || type == &PyWrapperDescr_Type || type == &PyClassMethodDescr_Type ||
         type == &PyMemberDescr_Type || type == &PyGetSetDescr_Type;
}

bool Walk::tuple(PyObject* o) noexcept {
  for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(o); i < n; ++i) {
    if (!value(PyTuple_GET_ITEM(o, i))) return false;
  }
  return true;
}

bool Walk::frozen_set(PyObject* o) noexcept {
  PyObject* iterator = PyObject_GetIter(o);
  if (!iterator) {
    PyErr_Clear();
    return false;
  }
  bool good = true;
  while (good) {
    PyObject* item = PyIter_Next(iterator);
    if (!item) break;
    good = value(item);  // the set keeps the item alive
    Py_DECREF(item);
  }
  Py_DECREF(iterator);
  if (PyErr_Occurred()) {
    PyErr_Clear();
    return false;
  }
  return good;
}

bool Walk::closure(PyObject* cells) noexcept {
  for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(cells); i < n; ++i) {
    PyObject* content = PyCell_Get(PyTuple_GET_ITEM(cells, i));
    bool good = !content || value(content);
    Py_XDECREF(content);
    if (!good) return false;
  }
  return true;
}

bool Walk::keyword_defaults(PyObject* dict) noexcept {
  bool good = true;
  BOC_BEGIN_CRITICAL_SECTION(dict);
  PyObject *key, *item;
  Py_ssize_t position = 0;
  while (good && PyDict_Next(dict, &position, &key, &item)) good = value(item);
  BOC_END_CRITICAL_SECTION();
  return good;
}

bool Walk::function(PyObject* o) noexcept {
  for (int i = 0; i < function_count; ++i) {
    if (functions[i] == o) return true;
  }
  auto* f = reinterpret_cast<PyFunctionObject*>(o);
  if (!f->func_closure && !f->func_defaults && !f->func_kwdefaults) return true;
  functions[function_count++] = o;  // never more than the depth
  bool good = true;
  if (f->func_closure) good = closure(f->func_closure);
  if (good && f->func_defaults) {
    Ref defaults(Py_NewRef(f->func_defaults));
    good = tuple(defaults.get());
  }
  if (good && f->func_kwdefaults) {
    Ref defaults(Py_NewRef(f->func_kwdefaults));
    good = keyword_defaults(defaults.get());
  }
  --function_count;
  return good;
}

bool Walk::compound(PyObject* o, PyTypeObject* type) noexcept {
  if (type == &PyTuple_Type) return tuple(o);
  if (type == &PyFunction_Type) return function(o);
  if (type == &PyFrozenSet_Type) return frozen_set(o);
  if (type == &PyMethod_Type) return value(PyMethod_GET_SELF(o)) && value(PyMethod_GET_FUNCTION(o));
  if (type == &PySlice_Type) {
    auto* slice = reinterpret_cast<PySliceObject*>(o);
    return value(slice->start) && value(slice->stop) && value(slice->step);
  }
  // A function of a module, or a method of something immutable ("".join). [].append is a method of a list.
  PyObject* self = PyCFunction_GET_SELF(o);
  return !self || value(self);
}

bool Walk::value(PyObject* o) noexcept {
  PyTypeObject* type = Py_TYPE(o);
  if (is_atom_type(type) || is_cown(o)) return true;
  if (PyType_Check(o) || PyModule_Check(o)) return true;
  if (type == &PyTuple_Type || type == &PyFunction_Type || type == &PyFrozenSet_Type || type == &PyMethod_Type ||
      type == &PySlice_Type || PyCFunction_Check(o)) {
    if (depth >= kMaxDepth || ++containers > kMaxContainers) return false;
    ++depth;
    bool good = compound(o, type);
    --depth;
    return good;
  }
  return o == Py_Ellipsis || o == Py_NotImplemented || type == &PyRange_Type || type == &PyCode_Type ||
         is_descriptor_type(type);
}

}  // namespace

bool is_cown(PyObject* o) noexcept {
  return PyObject_TypeCheck(o, home().cown_type);
}

bool goes_as_is(PyObject* o) noexcept {
  if (is_atom_type(Py_TYPE(o))) return true;
  Walk walk;
  return walk.value(o);
}

}  // namespace boc::py
