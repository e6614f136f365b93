// take_captures: the values that a behavior takes along, and the function that it runs.
#include "capture.h"

#include <new>
#include <vector>

#include "clone.h"
#include "copy.h"
#include "immutable.h"
#include "py_errors.h"

namespace boc::py {
namespace {

constexpr Py_ssize_t kLargeCapture = Py_ssize_t{1} << 20;
constexpr const char* kWaysOut = "Put it in a Cown and pass it with read(), or create it inside the behavior";

enum class Kind { kVariable, kDefault, kExtra, kSelf, kCallable };

// Something that has to be copied before it can go along.
struct Pending {
  PyObject* value;  // owned
  PyObject** out;   // where the copy goes (null there until then)
  Kind kind;
  Py_ssize_t index;
};

// Takes values as they are where that is right and copies the rest together, with one memo.
class Taker {
 public:
  explicit Taker(CallPlan* plan) : plan_(plan) {}
  Taker(const Taker&) = delete;
  Taker& operator=(const Taker&) = delete;
  ~Taker() {
    for (Pending& one : pending_) Py_XDECREF(one.value);
  }

  // *out gets a new reference to `value`, now or in copy_rest(). Steals `value`.
  bool take(PyObject* value, PyObject** out, Kind kind, Py_ssize_t index) {
    if (goes_as_is(value)) {
      *out = value;
      return true;
    }
    *out = nullptr;
    try {
      pending_.push_back({value, out, kind, index});
      return true;
    } catch (const std::bad_alloc&) {
      Py_DECREF(value);
      PyErr_NoMemory();
      return false;
    }
  }

  bool nothing_to_copy() const noexcept { return pending_.empty(); }
  int copy_rest();

 private:
  PyObject* describe(const Pending& one) const;
  int warn_large(Py_ssize_t bytes);

  CallPlan* plan_;
  std::vector<Pending> pending_;
};

PyObject* Taker::describe(const Pending& one) const {
  CodeInfo* info = plan_->info;
  PyObject* names = nullptr;
  Py_ssize_t index = one.index;
  switch (one.kind) {
    case Kind::kVariable:
      names = info->freevars;
      if (index < PyTuple_GET_SIZE(names)) {
        return PyUnicode_FromFormat("captured variable '%U'", PyTuple_GET_ITEM(names, index));
      }
      break;
    case Kind::kDefault: {
      bool keyword = index >= plan_->positional;
      names = keyword ? plan_->kwnames : info->parameters;
      index = keyword ? index - plan_->positional : PyTuple_GET_SIZE(names) - plan_->positional + index;
      if (index >= 0 && index < PyTuple_GET_SIZE(names)) {
        return PyUnicode_FromFormat("default '%U'", PyTuple_GET_ITEM(names, index));
      }
      break;
    }
    case Kind::kExtra:
      break;
    case Kind::kSelf:
      return PyUnicode_FromFormat("the object of type '%s' whose method is the behavior", Py_TYPE(one.value)->tp_name);
    case Kind::kCallable:
      return PyUnicode_FromFormat("the callable of type '%s'", Py_TYPE(one.value)->tp_name);
  }
  return PyUnicode_FromFormat("capture %zd", one.index);
}

int Taker::warn_large(Py_ssize_t bytes) {
  CodeInfo* info = plan_->info;
  if (info && info->warned_size.load(std::memory_order_relaxed)) return 0;
  Py_ssize_t megabytes = (bytes + kLargeCapture / 2) / kLargeCapture;
  int failed;
  if (info) {
    auto* function = reinterpret_cast<PyFunctionObject*>(plan_->function);
    auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
    failed = PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                              "the captures of %U() (%U:%d) are copied for each behavior: %zd MB this time. Put large "
                              "values in a Cown and pass it with read()",
                              function->func_qualname, code->co_filename, code->co_firstlineno, megabytes);
    if (!failed) info->warned_size.store(true, std::memory_order_relaxed);
  } else {
    failed = PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                              "the captures of a behavior are copied each time: %zd MB this time. Put large values in "
                              "a Cown and pass it with read()",
                              megabytes);
  }
  return failed;
}

int Taker::copy_rest() {
  auto count = static_cast<Py_ssize_t>(pending_.size());
  try {
    std::vector<PyObject*> values, copies(pending_.size());
    for (const Pending& one : pending_) values.push_back(one.value);
    Py_ssize_t bytes = 0, failed = -1;
    if (copy_values(values.data(), count, copies.data(), &bytes, &failed) < 0) {
      if (failed < 0 || failed >= count) return -1;
      Ref what(describe(pending_[static_cast<size_t>(failed)]));
      if (what) raise_transfer_error(what.get(), kWaysOut);
      return -1;
    }
    for (size_t i = 0; i < copies.size(); ++i) *pending_[i].out = copies[i];
    return bytes >= kLargeCapture ? warn_large(bytes) : 0;
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return -1;
  }
}

int changed_meanwhile(PyFunctionObject* function) {
  PyErr_Format(PyExc_RuntimeError, "the defaults of %U() changed while it was being scheduled",
               function->func_qualname);
  return -1;
}

// The defaults of the parameters that no cown and no explicit capture fills.
int take_defaults(Taker& taker, CallPlan* plan, PyObject** slots) {
  auto* function = reinterpret_cast<PyFunctionObject*>(plan->function);
  if (plan->positional) {
    Ref defaults(Py_XNewRef(function->func_defaults));
    Py_ssize_t size = defaults ? PyTuple_GET_SIZE(defaults.get()) : 0;
    if (size < plan->positional) return changed_meanwhile(function);
    for (Py_ssize_t i = 0; i < plan->positional; ++i) {
      PyObject* value = Py_NewRef(PyTuple_GET_ITEM(defaults.get(), size - plan->positional + i));
      if (!taker.take(value, &slots[i], Kind::kDefault, i)) return -1;
    }
  }
  for (Py_ssize_t i = plan->positional; i < plan->captures; ++i) {
    PyObject* dict = function->func_kwdefaults;
    PyObject* value = dict ? dict_get(dict, PyTuple_GET_ITEM(plan->kwnames, i - plan->positional)) : nullptr;
    if (!value) return PyErr_Occurred() ? -1 : changed_meanwhile(function);
    if (!taker.take(value, &slots[i], Kind::kDefault, i)) return -1;
  }
  return 0;
}

int warn_store(CallPlan* plan) {
  CodeInfo* info = plan->info;
  if (info->warned_store.load(std::memory_order_relaxed)) return 0;
  const char* kind;
  PyObject* name;
  int line;
  if (!PyArg_ParseTuple(info->first_store, "sUi", &kind, &name, &line)) return -1;
  auto* function = reinterpret_cast<PyFunctionObject*>(plan->function);
  auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  int failed = PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                                "%U() (%U:%d) changes the %s variable '%U': a behavior has bindings of its "
                                "own, so nobody else sees the change. "
                                "Keep the value in a Cown, or return it",
                                function->func_qualname, code->co_filename, line, kind, name);
  if (!failed) info->warned_store.store(true, std::memory_order_relaxed);
  return failed;
}

bool needs_bindings(const CallPlan* plan) {
  auto* function = reinterpret_cast<PyFunctionObject*>(plan->function);
  return function->func_closure || plan->info->name_count || plan->info->first_store;
}

int take_values(Taker& taker, CallPlan* plan, PyObject* const* extras, Py_ssize_t n, PyObject** target,
                PyObject** self_out, PyObject** extras_out, PyObject** slots) {
  if (plan->self && !taker.take(Py_NewRef(plan->self), self_out, Kind::kSelf, 0)) return -1;
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (!taker.take(Py_NewRef(extras[i]), &extras_out[i], Kind::kExtra, i)) return -1;
  }
  if (plan->captures && take_defaults(taker, plan, slots) < 0) return -1;
  if (!plan->info) return taker.take(Py_NewRef(plan->function), target, Kind::kCallable, 0) ? 0 : -1;
  return 0;
}

// A function with names or cells: its bindings are part of what is taken.
int take_bound(Taker& taker, CallPlan* plan, PyObject** target) {
  auto* function = reinterpret_cast<PyFunctionObject*>(plan->function);
  if (plan->info->first_store && warn_store(plan) < 0) return -1;
  Bindings bindings;
  if (bindings.read(function, plan->info) < 0) return -1;
  for (Py_ssize_t i = 0; i < bindings.cells(); ++i) {
    PyObject** cell = bindings.cell(i);
    if (!*cell || goes_as_is(*cell)) continue;
    bindings.set_copied();
    if (!taker.take(*cell, cell, Kind::kVariable, i)) return -1;
  }
  if (!taker.nothing_to_copy() && taker.copy_rest() < 0) return -1;
  *target = bindings.nothing_to_bind() ? Py_NewRef(plan->function) : bindings.bind(function, plan->info);
  return *target ? 0 : -1;
}

}  // namespace

int take_captures(CallPlan* plan, PyObject* const* extras, Py_ssize_t n, PyObject** target, PyObject** self_out,
                  PyObject** extras_out, PyObject** slots) {
  *target = *self_out = nullptr;
  for (Py_ssize_t i = 0; i < n; ++i) extras_out[i] = nullptr;
  for (Py_ssize_t i = 0; i < plan->captures; ++i) slots[i] = nullptr;

  Taker taker(plan);
  int failed = take_values(taker, plan, extras, n, target, self_out, extras_out, slots);
  if (!failed) {
    if (plan->info && needs_bindings(plan)) {
      failed = take_bound(taker, plan, target);
    } else {
      failed = taker.nothing_to_copy() ? 0 : taker.copy_rest();
      if (!failed && plan->info) *target = Py_NewRef(plan->function);
    }
  }
  if (!failed) return 0;
  // What was taken goes back with the error kept: destructors may run.
  Ref error(take_exception());
  Py_CLEAR(*target);
  Py_CLEAR(*self_out);
  for (Py_ssize_t i = 0; i < n; ++i) Py_CLEAR(extras_out[i]);
  for (Py_ssize_t i = 0; i < plan->captures; ++i) Py_CLEAR(slots[i]);
  raise_exception(error.release());
  return -1;
}

}  // namespace boc::py
