#include "pinned_type.h"

#include "main_thread.h"
#include "runtime.h"

namespace boc::py {
namespace {

PyObject* pinned_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"value", nullptr};
  PyObject* value;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:PinnedCown", const_cast<char**>(names), &value)) return nullptr;
  if (!on_main_thread()) {
    PyErr_SetString(PyExc_RuntimeError,
                    "a PinnedCown is made on the main thread of the main interpreter, where its value stays: make it "
                    "there, before the behaviors that need it are scheduled");
    return nullptr;
  }
  PyObject* given = given_away(value, nullptr, true);
  if (!given) return nullptr;
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) {
    Py_DECREF(given);
    return nullptr;
  }
  pinned_cowns_exist.store(true, relaxed);
  reinterpret_cast<CownObject*>(self)->payload = backend().make_pinned(given);
  if (!reinterpret_cast<CownObject*>(self)->payload) Py_CLEAR(self);
  return self;
}

int check_pinned(PyObject* self, const char* what) {
  return check_generation(payload_of(self)) < 0 || refuse_off_main(what) < 0 ? -1 : 0;
}

PyObject* pinned_acquire(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"timeout", nullptr};
  PyObject* timeout = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:acquire", const_cast<char**>(names), &timeout)) return nullptr;
  if (parse_timeout(timeout) < 0 || check_pinned(self, "acquire() of a pinned cown") < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* pinned_release(PyObject* self, PyObject*) {
  if (check_pinned(self, "release() of a pinned cown") < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* pinned_enter(PyObject* self, PyObject*) {
  if (check_pinned(self, "`with` of a pinned cown") < 0) return nullptr;
  runtime().failures().look(*payload_of(self));
  return value_of(*payload_of(self), true);
}

PyObject* pinned_exit(PyObject*, PyObject*) {
  Py_RETURN_FALSE;
}

PyObject* pinned_get_acquired(PyObject* self, void*) {
  return PyBool_FromLong(on_main_thread() && payload_of(self)->generation == generation);
}

PyMethodDef pinned_methods[] = {
    {"acquire", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(pinned_acquire)), METH_VARARGS | METH_KEYWORDS,
     "acquire(timeout=None)\n--\n\nDoes nothing: on the main thread a pinned cown can be used at any time. "
     "RuntimeError "
     "elsewhere."},
    {"release", pinned_release, METH_NOARGS, "release()\n--\n\nDoes nothing, as acquire()."},
    {"__enter__", pinned_enter, METH_NOARGS, nullptr},
    {"__exit__", pinned_exit, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef pinned_getset[] = {
    {"acquired", pinned_get_acquired, nullptr, "True on the main thread of the main interpreter.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot pinned_slots[] = {
    {Py_tp_doc,
     const_cast<char*>("PinnedCown(value)\n--\n\nA cown whose value stays on the main thread of the main interpreter, "
                       "where it is made: a window, an open file, what cannot be copied. Behaviors scheduled on it run "
                       "there, in pump(), or while the main thread waits for something.")},
    {Py_tp_new, reinterpret_cast<void*>(pinned_new)},
    {Py_tp_methods, pinned_methods},
    {Py_tp_getset, pinned_getset},
    {0, nullptr}};

PyType_Spec pinned_spec = {"bocpy.PinnedCown", sizeof(CownObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                           pinned_slots};

}  // namespace

Access access_to_pinned(Payload* payload) {
  if (check_generation(payload) < 0 || refuse_off_main("the value of a pinned cown") < 0) return Access::NONE;
  PyBehavior* current = context().current;
  const Request* r = current ? current->find(payload) : nullptr;
  return r && r->reads() ? Access::READ : Access::WRITE;
}

int add_pinned_type(PyObject* module) {
  PyTypeObject* type = home().pinned_type = make_type(module, &pinned_spec, home().cown_type);
  return type ? PyModule_AddObjectRef(module, "PinnedCown", reinterpret_cast<PyObject*>(type)) : -1;
}

}  // namespace boc::py
