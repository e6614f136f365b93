#include "capture_source.h"

#include "py_errors.h"

namespace boc::py {
namespace {

constexpr Py_ssize_t kLargeCapture = Py_ssize_t{1} << 20;
constexpr const char* kWaysOut =
    "Put it in a Cown and pass it with read(), create it inside the behavior, or keep it on the main thread in a "
    "PinnedCown";

PyFunctionObject* function_of(const CallPlan& plan) {
  return reinterpret_cast<PyFunctionObject*>(plan.function);
}

PyObject* changed_meanwhile(PyFunctionObject* function) {
  PyErr_Format(PyExc_RuntimeError, "the defaults of %U() changed while it was being scheduled",
               function->func_qualname);
  return nullptr;
}

// The name of a default's parameter, borrowed; null if it cannot be told.
PyObject* parameter_name(const CallPlan& plan, Py_ssize_t index) {
  const bool keyword = index >= plan.positional;
  PyObject* names = keyword ? plan.kwnames : plan.info->parameters;
  const Py_ssize_t at = keyword ? index - plan.positional : PyTuple_GET_SIZE(names) - plan.positional + index;
  return at >= 0 && at < PyTuple_GET_SIZE(names) ? PyTuple_GET_ITEM(names, at) : nullptr;
}

PyObject* describe(const CallPlan& plan, CaptureKind kind, Py_ssize_t index, PyObject* value) {
  switch (kind) {
    case CaptureKind::VARIABLE:
      if (index < PyTuple_GET_SIZE(plan.info->freevars)) {
        return PyUnicode_FromFormat("captured variable '%U'", PyTuple_GET_ITEM(plan.info->freevars, index));
      }
      break;
    case CaptureKind::DEFAULT:
      if (PyObject* name = parameter_name(plan, index)) return PyUnicode_FromFormat("default '%U'", name);
      break;
    case CaptureKind::EXTRA:
      break;
    case CaptureKind::SELF:
      return PyUnicode_FromFormat("the object of type '%s' whose method is the behavior", Py_TYPE(value)->tp_name);
    case CaptureKind::CALLABLE:
      return PyUnicode_FromFormat("the callable of type '%s'", Py_TYPE(value)->tp_name);
  }
  return PyUnicode_FromFormat("capture %zd", index);
}

}  // namespace

PyObject* default_value(const CallPlan& plan, Py_ssize_t index) {
  PyFunctionObject* function = function_of(plan);
  if (index < plan.positional) {
    Ref defaults(Py_XNewRef(function->func_defaults));
    const Py_ssize_t size = defaults ? PyTuple_GET_SIZE(defaults.get()) : 0;
    if (size < plan.positional) return changed_meanwhile(function);
    return Py_NewRef(PyTuple_GET_ITEM(defaults.get(), size - plan.positional + index));
  }
  PyObject* dict = function->func_kwdefaults;
  PyObject* value = dict ? dict_get(dict, PyTuple_GET_ITEM(plan.kwnames, index - plan.positional)) : nullptr;
  if (!value && !PyErr_Occurred()) changed_meanwhile(function);
  return value;
}

int refuse_capture(const CallPlan& plan, CaptureKind kind, Py_ssize_t index, PyObject* value) {
  PyObject* raised = take_exception();
  Ref what(describe(plan, kind, index, value));
  if (!what) PyErr_Clear();
  raise_exception(raised);
  if (what) raise_transfer_error(what.get(), kWaysOut);
  return -1;
}

int refuse_captures() {
  Ref what(PyUnicode_FromString("what the behavior captures"));
  if (what) raise_transfer_error(what.get(), kWaysOut);
  return -1;
}

int warn_if_large(const CallPlan& plan, Py_ssize_t bytes) {
  if (bytes < kLargeCapture) return 0;
  CodeInfo* info = plan.info;
  if (info && info->warned_size.load(std::memory_order_relaxed)) return 0;
  const Py_ssize_t megabytes = (bytes + kLargeCapture / 2) / kLargeCapture;
  if (!info) {
    return PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                            "the captures of a behavior are copied each time: %zd MB this time. Put large values in "
                            "a Cown and pass it with read()",
                            megabytes);
  }
  PyFunctionObject* function = function_of(plan);
  auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  const int failed = PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                                      "the captures of %U() (%U:%d) are copied for each behavior: %zd MB this time. "
                                      "Put large values in a Cown and pass "
                                      "it with read()",
                                      function->func_qualname, code->co_filename, code->co_firstlineno, megabytes);
  if (!failed) info->warned_size.store(true, std::memory_order_relaxed);
  return failed;
}

int warn_if_storing(const CallPlan& plan) {
  CodeInfo* info = plan.info;
  if (!info->first_store || info->warned_store.load(std::memory_order_relaxed)) return 0;
  const char* kind;
  PyObject* name;
  int line;
  if (!PyArg_ParseTuple(info->first_store, "sUi", &kind, &name, &line)) return -1;
  PyFunctionObject* function = function_of(plan);
  auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  const int failed = PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                                      "%U() (%U:%d) changes the %s variable '%U': a behavior has bindings of its own, "
                                      "so nobody else sees the change. Keep the value in a Cown, or return it",
                                      function->func_qualname, code->co_filename, line, kind, name);
  if (!failed) info->warned_store.store(true, std::memory_order_relaxed);
  return failed;
}

}  // namespace boc::py
