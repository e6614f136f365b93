// read(cowns): an argument of @when and hold that asks for reading only.
#include "read_type.h"

#include "cown_type.h"

namespace boc::py {

namespace {

PyObject* read_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject* inner;
  if (kwargs && PyDict_GET_SIZE(kwargs)) {
    PyErr_SetString(PyExc_TypeError, "read() takes one cown, or one list or tuple of cowns");
    return nullptr;
  }
  if (!PyArg_ParseTuple(args, "O:read", &inner)) return nullptr;
  bool fits = is_cown_object(inner);
  if (!fits && (PyList_Check(inner) || PyTuple_Check(inner))) {
    Ref items(PySequence_Tuple(inner));
    if (!items) return nullptr;
    fits = true;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.get()); ++i) {
      fits = fits && is_cown_object(PyTuple_GET_ITEM(items.get(), i));
    }
  }
  if (!fits) {
    PyErr_Format(PyExc_TypeError, "read() takes a cown, or a list or tuple of cowns, not %.100s",
                 Py_TYPE(inner)->tp_name);
    return nullptr;
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self) reinterpret_cast<ReadObject*>(self)->inner = Py_NewRef(inner);
  return self;
}

void read_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(reinterpret_cast<ReadObject*>(self)->inner);
  type->tp_free(self);
  Py_DECREF(type);
}

int read_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<ReadObject*>(self)->inner);
  return 0;
}

PyType_Slot read_slots[] = {
    {Py_tp_doc, const_cast<char*>("read(cowns)\n--\n\nIn a @when: ask for the cown (or list of cowns) to read only, "
                                  "together with other readers.")},
    {Py_tp_new, reinterpret_cast<void*>(read_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(read_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(read_traverse)},
    {0, nullptr}};
PyType_Spec read_spec = {"bocpy.read", sizeof(ReadObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, read_slots};

}  // namespace

int add_read_type(PyObject* module) {
  PyTypeObject* type = home().read_type = make_type(module, &read_spec, nullptr);
  return type ? PyModule_AddObjectRef(module, "read", reinterpret_cast<PyObject*>(type)) : -1;
}

}  // namespace boc::py
