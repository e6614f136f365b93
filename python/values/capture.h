// Captures: what a behavior takes with it at the moment of its @when.
#pragma once

#include "code_info.h"
#include "compat.h"

namespace boc::py {

// How a behavior will be called. All references are borrowed from the callable that was planned; `kwnames`
// belongs to its code object, so whoever calls later keeps a reference of its own (target may run another
// code object).
struct CallPlan {
  PyObject* function;   // what is called: a Python function, or any other callable
  PyObject* self;       // the object of a bound method of a Python function, else null
  CodeInfo* info;       // null for a callable that is not a Python function
  Py_ssize_t captures;  // positional defaults and keyword-only defaults together: the length of `slots`
  PyObject* kwnames;    // names of the keyword-only defaults, the last entries of `slots`; null if there are none
  Py_ssize_t cowns;
  Py_ssize_t extra;
  Py_ssize_t positional;  // how many positional defaults are captured: the first entries of `slots`
};

// Checks that `callable` can be a behavior over `cowns` cown parameters followed by `extra` explicit
// captures, and fills `plan`. 0, or -1 with a TypeError that says what does not fit (for generator and async
// functions one that is a SyntaxError too). Callables without Python code are not checked.
int plan_call(PyObject* callable, Py_ssize_t cowns, Py_ssize_t extra, CallPlan* plan);

// What a behavior gets of the values that it captures: the objects themselves, if it runs on the thread that schedules it.
enum class Taking { COPIES, REFERENCES };

// Takes everything the behavior captures, now, with one memo (aliases between two captures stay aliases). On
// success the results are new references: *target is to be called by vectorcall with the arguments
//   [*self_out], the cowns, extras_out[0..n), slots[0..plan->captures) with plan->kwnames.
// *self_out is null when there is no bound object. On error -1: all outputs are null, nothing is left behind.
// A value that cannot be copied raises a TransferError (a TypeError) that names the variable and the ways
// out.
int take_captures(CallPlan* plan, Taking how, PyObject* const* extras, Py_ssize_t n, PyObject** target,
                  PyObject** self_out, PyObject** extras_out, PyObject** slots);

}  // namespace boc::py
