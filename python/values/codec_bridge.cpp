#include "codec_bridge.h"

#include "clone.h"
#include "doubles.h"
#include "immutable.h"
#include "py_errors.h"
#include "xidata.h"

namespace boc::py {
namespace {

constexpr Py_ssize_t kLargeBuffer = 4096;

// Atoms are cheaper in the pickle than in the list of references; tuples of atoms keep their place in the
// pickle too, so that a large tuple is looked through once.
bool worth_a_reference(PyObject* o) noexcept {
  PyTypeObject* type = Py_TYPE(o);
  if (type == &PyUnicode_Type) return PyUnicode_GET_LENGTH(o) >= kLargeBuffer;
  if (type == &PyBytes_Type) return PyBytes_GET_SIZE(o) >= kLargeBuffer;
  if (type == &PyLong_Type || type == &PyFloat_Type || type == &PyBool_Type || o == Py_None || type == &PyTuple_Type ||
      type == &PyList_Type || type == &PyDict_Type || type == &PySet_Type || type == &PyFrozenSet_Type ||
      type == &PyComplex_Type) {
    return false;
  }
  return goes_as_is(o);
}

PyObject* append_reference(PyObject* refs, PyObject* o) {
  Py_ssize_t index = PyList_GET_SIZE(refs);
  return PyList_Append(refs, o) < 0 ? nullptr : PyLong_FromSsize_t(index);
}

// A bytearray or matrix that occurs twice must become one again: state[1] maps its address to its place in the list.
// The originals are kept alive by the value that is being pickled, or by state[2].
PyObject* copied_reference(PyObject* state, PyObject* o) {
  Ref address(PyLong_FromVoidPtr(o));
  if (!address) return nullptr;
  PyObject* places = PyTuple_GET_ITEM(state, 1);
  PyObject* known = dict_get(places, address.get());
  if (known || PyErr_Occurred()) return known;
  Ref copied(is_matrix(o) ? copy_matrix(o) : PyByteArray_FromObject(o));
  if (!copied || PyList_Append(PyTuple_GET_ITEM(state, 2), o) < 0) return nullptr;
  Ref index(append_reference(PyTuple_GET_ITEM(state, 0), copied.get()));
  if (!index || PyDict_SetItem(places, address.get(), index.get()) < 0) return nullptr;
  return index.release();
}

// persistent_id of a pickler, called for every object in the graph: this is why it is not Python code.
PyObject* persistent_id(PyObject* state, PyObject* o) {
  if (Py_TYPE(o) == &PyByteArray_Type || is_matrix(o)) return copied_reference(state, o);
  PyObject* holder_type = PyTuple_GET_ITEM(state, 3);
  if (reinterpret_cast<PyObject*>(Py_TYPE(o)) == holder_type) {
    // A reference that _codec asks for: the object inside goes as it is whatever it is.
    Ref inside(PyObject_GetAttrString(o, "object"));
    return inside ? append_reference(PyTuple_GET_ITEM(state, 0), inside.get()) : nullptr;
  }
  return worth_a_reference(o) ? append_reference(PyTuple_GET_ITEM(state, 0), o) : Py_NewRef(Py_None);
}

PyMethodDef persistent_id_def = {"persistent_id", persistent_id, METH_O, nullptr};

PyObject* by_reference(PyObject*, PyObject* arguments) {
  PyObject *refs, *holder_type;
  if (!PyArg_ParseTuple(arguments, "O!O:by_reference", &PyList_Type, &refs, &holder_type)) return nullptr;
  Ref state(Py_BuildValue("(O{}[]O)", refs, holder_type));
  return state ? PyCFunction_New(&persistent_id_def, state.get()) : nullptr;
}

PyObject* function_shell(PyObject*, PyObject* o) {
  if (!PyFunction_Check(o)) {
    PyErr_SetString(PyExc_TypeError, "function_shell() takes a Python function");
    return nullptr;
  }
  auto* function = reinterpret_cast<PyFunctionObject*>(o);
  PyObject* code = leakproof_code(reinterpret_cast<PyCodeObject*>(function->func_code));
  if (!code) return nullptr;
  Ref made(PyFunction_NewWithQualName(code, function->func_globals, function->func_qualname));
  if (!made) return nullptr;
  auto* shell = reinterpret_cast<PyFunctionObject*>(made.get());
  Py_SETREF(shell->func_name, Py_NewRef(function->func_name));
  Py_XSETREF(shell->func_module, Py_XNewRef(function->func_module));
  Py_XSETREF(shell->func_doc, Py_XNewRef(function->func_doc));
  Py_ssize_t cells = function->func_closure ? PyTuple_GET_SIZE(function->func_closure) : 0;
  if (cells) {
    // Cells of its own until fill_function(): a function without them must never be called, and a hostile
    // __setstate__ may call it.
    Ref closure(PyTuple_New(cells));
    if (!closure) return nullptr;
    for (Py_ssize_t i = 0; i < cells; ++i) {
      PyObject* cell = PyCell_New(nullptr);
      if (!cell) return nullptr;
      PyTuple_SET_ITEM(closure.get(), i, cell);
    }
    shell->func_closure = closure.release();
  }
  return made.release();
}

PyObject* fill_function(PyObject*, PyObject* arguments) {
  PyObject *function, *cells, *defaults, *kwdefaults, *attributes;
  if (!PyArg_ParseTuple(arguments, "O!OOOO:fill_function", &PyFunction_Type, &function, &cells, &defaults, &kwdefaults,
                        &attributes)) {
    return nullptr;
  }
  auto* made = reinterpret_cast<PyFunctionObject*>(function);
  if (cells != Py_None) {
    Py_ssize_t wanted = made->func_closure ? PyTuple_GET_SIZE(made->func_closure) : 0;
    bool good = PyTuple_CheckExact(cells) && PyTuple_GET_SIZE(cells) == wanted;
    for (Py_ssize_t i = 0; good && i < wanted; ++i) good = PyCell_Check(PyTuple_GET_ITEM(cells, i));
    if (!good) {
      PyErr_SetString(PyExc_ValueError, "fill_function() takes as many cells as the code has free variables");
      return nullptr;
    }
    if (PyFunction_SetClosure(function, cells) < 0) return nullptr;
  }
  if (PyFunction_SetDefaults(function, defaults) < 0) return nullptr;
  if (PyFunction_SetKwDefaults(function, kwdefaults) < 0) return nullptr;
  if (attributes != Py_None && PyDict_Check(attributes)) {
    Ref dict(PyObject_GenericGetDict(function, nullptr));
    if (!dict || PyDict_Update(dict.get(), attributes) < 0) return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* copy_shareable(PyObject*, PyObject* o) {
  return xi_supported(o) ? xi_copy(o) : Py_NewRef(Py_NotImplemented);
}

PyMethodDef callbacks[] = {
    {"by_reference", by_reference, METH_VARARGS, nullptr},
    {"function_shell", function_shell, METH_O, nullptr},
    {"fill_function", fill_function, METH_VARARGS, nullptr},
    {"copy_shareable", copy_shareable, METH_O, nullptr},
};

// _codec's copy_all, with our callbacks installed in it the first time.
PyObject* copier() {
  Ref ready(module_attribute("bocpy._codec", "callbacks"));
  if (!ready) return nullptr;
  if (ready.get() == Py_None) {
    Ref install(module_attribute("bocpy._codec", "install"));
    Ref functions(codec_callbacks());
    if (!install || !functions) return nullptr;
    Ref done(PyObject_CallOneArg(install.get(), functions.get()));
    if (!done) return nullptr;
  }
  return module_attribute("bocpy._codec", "copy_all");
}

PyObject* list_of(PyObject* const* values, Py_ssize_t n) {
  PyObject* list = PyList_New(n);
  for (Py_ssize_t i = 0; list && i < n; ++i) PyList_SET_ITEM(list, i, Py_NewRef(values[i]));
  return list;
}

}  // namespace

PyObject* codec_callbacks() {
  Ref dict(PyDict_New());
  if (!dict) return nullptr;
  for (PyMethodDef& def : callbacks) {
    Ref function(PyCFunction_New(&def, nullptr));
    if (!function || PyDict_SetItemString(dict.get(), def.ml_name, function.get()) < 0) return nullptr;
  }
  return dict.release();
}

int copy_with_codec(PyObject* const* values, Py_ssize_t n, PyObject** copies, Py_ssize_t* bytes, Py_ssize_t* failed) {
  Ref copy_all(copier());
  Ref list(copy_all ? list_of(values, n) : nullptr);
  if (!list) return -1;
  Ref answer(PyObject_CallOneArg(copy_all.get(), list.get()));
  PyObject *made, *error;
  Py_ssize_t number;
  if (!answer || !PyArg_ParseTuple(answer.get(), "OnO", &made, &number, &error)) return -1;
  if (made == Py_None) {
    *failed = number;
    raise_exception(Py_NewRef(error));
    return -1;
  }
  if (!PyList_CheckExact(made) || PyList_GET_SIZE(made) != n) {
    PyErr_SetString(PyExc_SystemError, "bocpy._codec.copy_all gave back another number of values");
    return -1;
  }
  *bytes = number;
  for (Py_ssize_t i = 0; i < n; ++i) copies[i] = Py_NewRef(PyList_GET_ITEM(made, i));
  return 0;
}

}  // namespace boc::py
