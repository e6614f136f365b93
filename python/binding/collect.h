// From the arguments of a @when to a behavior: collect, capture, make.
#pragma once

#include "cown_type.h"

namespace boc::py {

// Checks one argument of @when: a new reference to a cown, a read(...) or a tuple; null with TypeError. Adds to
// `requests` how many cowns it has.
PyObject* collect(PyObject* argument, size_t& requests);

// Captures, makes and schedules a behavior (or adds it to the open batch): a new reference to its result. `scope`
// may be null: the current one. `extras` are explicit captures. Null with an error: nothing was scheduled.
PyObject* schedule_call(const Parameters& parameters, PyObject* callable, PyObject* const* extras, Py_ssize_t n,
                        Scope* scope);

// The behavior around a body that is no Python function (PyBackend::make_native()) with its requests, counted in
// `scope`, not scheduled yet; *result_out gets the handle of its result. Null with an error, and the body is gone.
PyBehavior* make_native(NativeBehavior& body, Scope* scope, PyObject** result_out);

// Schedules what has its result, whose handle is stolen, or adds it to the open batch. The handle, or null with
// MemoryError.
PyObject* send_off(PyBehavior& behavior, PyObject* result);

// Unmakes a member of a batch that will not be scheduled: its result is a CancelledError.
void cancel_unscheduled(PyBehavior& behavior) noexcept;

}  // namespace boc::py
