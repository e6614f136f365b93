// The values that a behavior takes along, one after the other, and what is said about them when something is wrong.
#pragma once

#include "capture.h"

namespace boc::py {

enum class CaptureKind { VARIABLE, DEFAULT, EXTRA, SELF, CALLABLE };

// The default value number `index` of the plan's captures (positional ones first) as a new reference. Null with an
// error.
PyObject* default_value(const CallPlan& plan, Py_ssize_t index);

// Calls take(value, kind, index) -> bool with a new reference to each value that becomes an argument: the object of a
// bound method, the explicit captures, the defaults. -1 with an error, take()'s own among them.
template <class F>
int each_argument(const CallPlan& plan, PyObject* const* extras, Py_ssize_t n, F&& take) {
  if (plan.self && !take(Py_NewRef(plan.self), CaptureKind::SELF, 0)) return -1;
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (!take(Py_NewRef(extras[i]), CaptureKind::EXTRA, i)) return -1;
  }
  for (Py_ssize_t i = 0; i < plan.captures; ++i) {
    PyObject* value = default_value(plan, i);
    if (!value || !take(value, CaptureKind::DEFAULT, i)) return -1;
  }
  return 0;
}

// The error being raised becomes the cause of a TransferError that names the capture. Returns -1.
int refuse_capture(const CallPlan& plan, CaptureKind kind, Py_ssize_t index, PyObject* value);
// The same where it cannot be said which one.
int refuse_captures();
// Once per function: a warning if its captures are large, or if it stores to what nobody else sees. -1 with an error.
int warn_if_large(const CallPlan& plan, Py_ssize_t bytes);
int warn_if_storing(const CallPlan& plan);

}  // namespace boc::py
