// take_captures: the values that a behavior takes along, and the function that it runs.
#include "capture.h"

#include <new>
#include <vector>

#include "capture_source.h"
#include "clone.h"
#include "copy.h"
#include "immutable.h"
#include "py_errors.h"

namespace boc::py {
namespace {

// Something that has to be copied before it can go along.
struct Pending {
  PyObject* value;  // owned
  PyObject** out;   // where the copy goes (null there until then)
  CaptureKind kind;
  Py_ssize_t index;
};

// Takes values as they are where that is right and copies the rest together, with one memo.
class Taker {
 public:
  Taker(CallPlan* plan, Taking how) : plan_(plan), references_(how == Taking::REFERENCES) {}
  Taker(const Taker&) = delete;
  Taker& operator=(const Taker&) = delete;
  ~Taker() {
    for (Pending& one : pending_) Py_XDECREF(one.value);
  }

  // *out gets a new reference to `value`, now or in copy_rest(). Steals `value`.
  bool take(PyObject* value, PyObject** out, CaptureKind kind, Py_ssize_t index) {
    if (references_ || goes_as_is(value)) {
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

  bool references() const noexcept { return references_; }
  bool nothing_to_copy() const noexcept { return pending_.empty(); }
  int copy_rest();

 private:
  CallPlan* plan_;
  const bool references_;
  std::vector<Pending> pending_;
};

int Taker::copy_rest() {
  auto count = static_cast<Py_ssize_t>(pending_.size());
  try {
    std::vector<PyObject*> values, copies(pending_.size());
    for (const Pending& one : pending_) values.push_back(one.value);
    Py_ssize_t bytes = 0, failed = -1;
    if (copy_values(values.data(), count, copies.data(), &bytes, &failed) < 0) {
      if (failed < 0 || failed >= count) return -1;
      const Pending& one = pending_[static_cast<size_t>(failed)];
      refuse_capture(*plan_, one.kind, one.index, one.value);
      return -1;
    }
    for (size_t i = 0; i < copies.size(); ++i) *pending_[i].out = copies[i];
    return warn_if_large(*plan_, bytes);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return -1;
  }
}

bool needs_bindings(const CallPlan* plan) {
  auto* function = reinterpret_cast<PyFunctionObject*>(plan->function);
  return function->func_closure || plan->info->name_count || plan->info->first_store;
}

int take_values(Taker& taker, CallPlan* plan, PyObject* const* extras, Py_ssize_t n, PyObject** target,
                PyObject** self_out, PyObject** extras_out, PyObject** slots) {
  auto take = [&](PyObject* value, CaptureKind kind, Py_ssize_t index) {
    PyObject** out = kind == CaptureKind::SELF    ? self_out
                     : kind == CaptureKind::EXTRA ? &extras_out[index]
                                                  : &slots[index];
    return taker.take(value, out, kind, index);
  };
  if (each_argument(*plan, extras, n, take) < 0) return -1;
  if (!plan->info) return taker.take(Py_NewRef(plan->function), target, CaptureKind::CALLABLE, 0) ? 0 : -1;
  return 0;
}

// A function with names or cells: its bindings are part of what is taken.
int take_bound(Taker& taker, CallPlan* plan, PyObject** target) {
  auto* function = reinterpret_cast<PyFunctionObject*>(plan->function);
  if (warn_if_storing(*plan) < 0) return -1;
  Bindings bindings;
  if (bindings.read(function, plan->info) < 0) return -1;
  if (taker.references()) bindings.names_for_one_behavior();
  for (Py_ssize_t i = 0; i < bindings.cells(); ++i) {
    PyObject** cell = bindings.cell(i);
    if (!*cell || goes_as_is(*cell)) continue;
    bindings.for_one_behavior();  // a copy is its own, and a reference must not outlive it
    if (taker.references()) continue;
    if (!taker.take(*cell, cell, CaptureKind::VARIABLE, i)) return -1;
  }
  if (!taker.nothing_to_copy() && taker.copy_rest() < 0) return -1;
  *target = bindings.nothing_to_bind() ? Py_NewRef(plan->function) : bindings.bind(function, plan->info);
  return *target ? 0 : -1;
}

}  // namespace

int take_captures(CallPlan* plan, Taking how, PyObject* const* extras, Py_ssize_t n, PyObject** target,
                  PyObject** self_out, PyObject** extras_out, PyObject** slots) {
  *target = *self_out = nullptr;
  for (Py_ssize_t i = 0; i < n; ++i) extras_out[i] = nullptr;
  for (Py_ssize_t i = 0; i < plan->captures; ++i) slots[i] = nullptr;

  Taker taker(plan, how);
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
