#include "when.h"

#include <structmember.h>

#include <cstddef>

#include "arguments.h"
#include "collect.h"
#include "scope_object.h"

namespace boc::py {
namespace {

// The decorator that when() returns. Short-lived, so not tracked by the collector.
struct WhenObject {
  PyObject_VAR_HEAD vectorcallfunc vectorcall;
  PyObject* scope;  // strong or null
  size_t requests;
  PyObject* items[1];
};

WhenObject* when_of(PyObject* o) noexcept {
  return reinterpret_cast<WhenObject*>(o);
}

PyObject* when_call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  if (PyVectorcall_NARGS(nargsf) != 1 || kwnames) {
    PyErr_SetString(PyExc_TypeError, "the result of when(...) decorates one function");
    return nullptr;
  }
  WhenObject* w = when_of(self);
  const OpenScope scope(w->scope);
  if (scope.failed()) return nullptr;
  return schedule_call({w->items, Py_SIZE(self), w->requests}, args[0], nullptr, 0, scope.get());
}

void when_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  WhenObject* w = when_of(self);
  for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) Py_XDECREF(w->items[i]);
  Py_XDECREF(w->scope);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef when_members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(WhenObject, vectorcall), READONLY, nullptr},
                              {nullptr, 0, 0, 0, nullptr}};
PyType_Slot when_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(when_dealloc)},
                            {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                            {Py_tp_members, when_members},
                            {0, nullptr}};
PyType_Spec when_spec = {"bocpy._When", static_cast<int>(offsetof(WhenObject, items)), sizeof(PyObject*),
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                         when_slots};

PyObject* py_when(PyObject*, PyObject* const* args, Py_ssize_t n) {
  return make_when(args, n, nullptr);
}

PyObject* py_whencall(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  return call_whencall(args, n, kwnames, nullptr);
}

}  // namespace

PyObject* make_when(PyObject* const* arguments, Py_ssize_t n, PyObject* scope_object) {
  auto* w = reinterpret_cast<WhenObject*>(home().when_type->tp_alloc(home().when_type, n));
  if (!w) return nullptr;
  w->vectorcall = when_call;
  w->scope = Py_XNewRef(scope_object);
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (!(w->items[i] = collect(arguments[i], w->requests))) {
      Py_DECREF(w);
      return nullptr;
    }
  }
  return reinterpret_cast<PyObject*>(w);
}

PyObject* call_whencall(PyObject* const* args, Py_ssize_t n, PyObject* kwnames, PyObject* scope_object) {
  static const char* const names[] = {"func", "args", "captures"};
  PyObject* bound[3];
  if (bind_arguments("whencall(func, args, captures=())", names, 2, args, n, kwnames, bound) < 0) return nullptr;
  const OpenScope scope(scope_object);
  if (scope.failed()) return nullptr;
  if (PyUnicode_Check(bound[0])) {
    PyErr_SetString(PyExc_TypeError, "whencall() takes a function, not a thunk name");
    return nullptr;
  }
  if (!PyList_Check(bound[1]) && !PyTuple_Check(bound[1])) {
    PyErr_Format(PyExc_TypeError, "whencall(): args is a list or tuple of cowns, not %.100s",
                 Py_TYPE(bound[1])->tp_name);
    return nullptr;
  }
  Ref given(PySequence_Tuple(bound[1]));
  Ref captures(bound[2] ? PySequence_Tuple(bound[2]) : PyTuple_New(0));
  if (!given || !captures) return nullptr;
  const Py_ssize_t count = PyTuple_GET_SIZE(given.get());
  Ref items(PyTuple_New(count));
  size_t requests = 0;
  for (Py_ssize_t i = 0; items && i < count; ++i) {
    PyObject* item = collect(PyTuple_GET_ITEM(given.get(), i), requests);
    if (!item) return nullptr;
    PyTuple_SET_ITEM(items.get(), i, item);
  }
  if (!items) return nullptr;
  return schedule_call({reinterpret_cast<PyTupleObject*>(items.get())->ob_item, count, requests}, bound[0],
                       reinterpret_cast<PyTupleObject*>(captures.get())->ob_item, PyTuple_GET_SIZE(captures.get()),
                       scope.get());
}

PyMethodDef when_methods[] = {
    {"when", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(py_when)), METH_FASTCALL,
     "when(*cowns)\n--\n\nA decorator that schedules the function as a behavior over the cowns and replaces "
     "it by the "
     "result, a Cown. Each argument is a cown, a list or tuple of cowns (the function gets a list), or "
     "read() of "
     "such."},
    {"whencall", as_method(py_whencall), METH_FASTCALL | METH_KEYWORDS,
     "whencall(func, args, captures=())\n--\n\nSchedule func over the cowns of args; the captures are passed "
     "after "
     "them. Returns the result, a Cown."},
    {nullptr, nullptr, 0, nullptr}};

int add_when_type(PyObject* module) {
  home().when_type = make_type(module, &when_spec, nullptr);
  return home().when_type ? 0 : -1;
}

}  // namespace boc::py
