// From the arguments of a @when to a behavior: collect, capture, make.
#pragma once

#include "capture.h"
#include "cown_type.h"

namespace boc::py {

// What a @when was given, checked: per parameter a cown, a read(...), or a tuple of cowns (a group). Borrowed.
struct Parameters {
  PyObject* const* items;
  Py_ssize_t count;
  size_t requests;  // cowns in all, duplicates included
};

// Checks one argument of @when: a new reference to a cown, a read(...) or a tuple; null with TypeError. Adds to
// `requests` how many cowns it has.
PyObject* collect(PyObject* argument, size_t& requests);

// Captures, makes and schedules a behavior (or adds it to the open batch): a new reference to its result. `scope`
// may be null: the current one. `extras` are explicit captures. Null with an error: nothing was scheduled.
PyObject* schedule_call(const Parameters& parameters, PyObject* callable, PyObject* const* extras, Py_ssize_t n,
                        Scope* scope);

// A behavior over no cowns that calls `target` (stolen) without arguments; *result_out gets the handle of its result.
// Counted in `scope`, not scheduled yet. Null with an error.
PyBehavior* make_plain(PyObject* target, Scope* scope, PyObject** result_out);

// Unmakes a member of a batch that will not be scheduled: its result is a CancelledError.
void cancel_unscheduled(PyBehavior& behavior) noexcept;

}  // namespace boc::py
