#include "py_errors.h"

namespace boc::py {
PyObject* reason_of(PyObject* exception) {
  PyObject* arguments = reinterpret_cast<PyBaseExceptionObject*>(exception)->args;
  const char* type = Py_TYPE(exception)->tp_name;
  if (arguments && PyTuple_Check(arguments) && PyTuple_GET_SIZE(arguments) > 0 &&
      PyUnicode_CheckExact(PyTuple_GET_ITEM(arguments, 0))) {
    return PyUnicode_FromFormat("%s: %U", type, PyTuple_GET_ITEM(arguments, 0));
  }
  return PyUnicode_FromString(type);
}

PyObject* module_attribute(const char* module, const char* name) {
  // Straight from sys.modules if it is there and complete: the import system takes several times as long.
  Ref key(PyUnicode_FromString(module));
  if (!key) return nullptr;
  if (Ref known(PyImport_GetModule(key.get())); known) {
    PyObject* attribute = PyObject_GetAttrString(known.get(), name);
    if (attribute || !PyErr_ExceptionMatches(PyExc_AttributeError)) return attribute;
  }
  PyErr_Clear();
  Ref imported(PyImport_ImportModule(module));
  return imported ? PyObject_GetAttrString(imported.get(), name) : nullptr;
}

std::string take_error_text() noexcept {
  PyObject* error = take_exception();
  std::string text = "unknown";
  if (error) {
    Ref told(PyObject_Str(error));
    const char* utf8 = told ? PyUnicode_AsUTF8(told.get()) : nullptr;
    try {
      text = std::string(Py_TYPE(error)->tp_name) + ": " + (utf8 ? utf8 : "");
    } catch (const std::bad_alloc&) {
    }
    Py_DECREF(error);
  }
  PyErr_Clear();
  return text;
}

int raise_error(const char* name, PyObject* message) {
  Ref text(message);
  if (!text) return -1;
  Ref type(module_attribute("bocpy._errors", name));
  if (type) PyErr_SetObject(type.get(), text.get());
  return -1;
}

void raise_transfer_error(PyObject* what, const char* ways_out) {
  if (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError)) return;
  Ref cause(take_exception());
  if (!cause) return;
  Ref reason(reason_of(cause.get()));
  if (!reason) return;
  raise_error("TransferError", PyUnicode_FromFormat("%U cannot be copied: %U. %s", what, reason.get(), ways_out));
  if (!PyErr_ExceptionMatches(PyExc_TypeError)) return;  // out of memory, or the import failed
  PyObject* error = take_exception();
  PyException_SetCause(error, cause.release());
  raise_exception(error);
}

}  // namespace boc::py
