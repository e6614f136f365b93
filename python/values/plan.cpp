// plan_call: does this callable fit these cowns and captures?
#include "capture.h"
#include "py_errors.h"

namespace boc::py {
namespace {

// How the arguments fall on the positional parameters of a Python function.
struct Shape {
  Py_ssize_t bound;       // 1 for the object of a bound method
  Py_ssize_t positional;  // positional parameters, that of the bound object not counted
  Py_ssize_t defaults;    // how many of these have a default value
  bool more;              // *args
};

Shape shape_of(PyFunctionObject* function, PyCodeObject* code, bool bound) {
  Shape shape;
  shape.bound = bound ? 1 : 0;
  shape.positional = code->co_argcount > shape.bound ? code->co_argcount - shape.bound : 0;
  shape.more = (code->co_flags & CO_VARARGS) != 0;
  PyObject* defaults = function->func_defaults;
  Py_ssize_t count = defaults ? PyTuple_GET_SIZE(defaults) : 0;
  shape.defaults = count < shape.positional ? count : shape.positional;
  return shape;
}

int refuse_kind(PyFunctionObject* function, int flags) {
  const char* kind = flags & CO_COROUTINE         ? "an async function"
                     : flags & CO_ASYNC_GENERATOR ? "an async generator"
                                                  : "a generator";
  return raise_error("UnsupportedFunctionError",
                     PyUnicode_FromFormat("%U() is %s and cannot be a behavior: a behavior runs from its first line "
                                          "to its return in one go. Use a plain function; to continue later, "
                                          "schedule another behavior from it with @when",
                                          function->func_qualname, kind));
}

PyObject* given_text(const CallPlan* plan) {
  const char* cowns = plan->cowns == 1 ? "" : "s";
  if (!plan->extra) return PyUnicode_FromFormat("%zd cown%s", plan->cowns, cowns);
  return PyUnicode_FromFormat("%zd cown%s and %zd capture%s", plan->cowns, cowns, plan->extra,
                              plan->extra == 1 ? "" : "s");
}

int refuse_count(PyFunctionObject* function, const Shape& shape, const CallPlan* plan) {
  Ref given(given_text(plan));
  if (!given) return -1;
  Py_ssize_t needed = shape.positional - shape.defaults;
  if (shape.more || shape.defaults) {
    PyErr_Format(PyExc_TypeError,
                 "%U() does not fit %U: it has %zd parameter%s without default value. Each argument of when() needs "
                 "one parameter, in order, and each parameter that is left over a default value",
                 function->func_qualname, given.get(), needed, needed == 1 ? "" : "s");
  } else {
    PyErr_Format(PyExc_TypeError,
                 "%U() does not fit %U: it takes %zd positional argument%s. Each argument of when() needs one "
                 "parameter, in order, and each parameter that is left over a default value",
                 function->func_qualname, given.get(), needed, needed == 1 ? "" : "s");
  }
  return -1;
}

int refuse_default(PyFunctionObject* function, CodeInfo* info, const Shape& shape, const CallPlan* plan) {
  Ref given(given_text(plan));
  if (!given) return -1;
  Py_ssize_t first = shape.bound + shape.positional - shape.defaults;
  PyObject* name = first < PyTuple_GET_SIZE(info->parameters) ? PyTuple_GET_ITEM(info->parameters, first) : nullptr;
  if (!name) return refuse_count(function, shape, plan);
  PyErr_Format(PyExc_TypeError,
               "%U() does not fit %U: its parameter '%U' would take a cown but has a default value, and defaults are "
               "captures. Remove the default, or give when() at most %zd argument%s",
               function->func_qualname, given.get(), name, shape.positional - shape.defaults,
               shape.positional - shape.defaults == 1 ? "" : "s");
  return -1;
}

// Every keyword-only parameter is a capture, so it needs a default.
int plan_keywords(PyFunctionObject* function, PyCodeObject* code, CallPlan* plan) {
  PyObject* names = plan->info->keyword_only;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); ++i) {
    PyObject* name = PyTuple_GET_ITEM(names, i);
    Ref value(function->func_kwdefaults ? dict_get(function->func_kwdefaults, name) : nullptr);
    if (value) continue;
    if (!PyErr_Occurred()) {
      PyErr_Format(PyExc_TypeError,
                   "%U() cannot be a behavior: nothing gives its keyword-only parameter '%U' a value. Give it a "
                   "default value, which is then a capture",
                   function->func_qualname, name);
    }
    return -1;
  }
  plan->kwnames = names;
  plan->captures += code->co_kwonlyargcount;
  return 0;
}

int plan_function(PyFunctionObject* function, CallPlan* plan) {
  auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  constexpr int kUnsupported = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR;
  if (code->co_flags & kUnsupported) return refuse_kind(function, code->co_flags);
  plan->info = code_info(code);
  if (!plan->info) return -1;

  Shape shape = shape_of(function, code, plan->self != nullptr);
  Py_ssize_t given = plan->cowns + plan->extra;
  Py_ssize_t plain = shape.positional - shape.defaults;
  if (plan->self && code->co_argcount == 0 && !shape.more) return refuse_count(function, shape, plan);
  if (given < plain || (given > shape.positional && !shape.more)) return refuse_count(function, shape, plan);
  if (shape.defaults && plan->cowns > plain) return refuse_default(function, plan->info, shape, plan);
  plan->positional = given < shape.positional ? shape.positional - given : 0;
  plan->captures = plan->positional;
  return code->co_kwonlyargcount ? plan_keywords(function, code, plan) : 0;
}

}  // namespace

int plan_call(PyObject* callable, Py_ssize_t cowns, Py_ssize_t extra, CallPlan* plan) {
  *plan = CallPlan{callable, nullptr, nullptr, 0, nullptr, cowns, extra, 0};
  if (PyMethod_Check(callable) && PyFunction_Check(PyMethod_GET_FUNCTION(callable))) {
    plan->self = PyMethod_GET_SELF(callable);
    plan->function = PyMethod_GET_FUNCTION(callable);
  }
  if (PyFunction_Check(plan->function)) {
    return plan_function(reinterpret_cast<PyFunctionObject*>(plan->function), plan);
  }
  if (PyCallable_Check(callable)) return 0;
  PyErr_Format(PyExc_TypeError, "a behavior is a function or another callable, not an object of type '%s'",
               Py_TYPE(callable)->tp_name);
  return -1;
}

}  // namespace boc::py
