// Threads outside the workers take their turn in cowns' queues: acquire, with, hold, result, unwrap.
#pragma once

#include <span>

#include "cown_type.h"

namespace boc::py {

PyObject* cown_acquire(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* cown_release(PyObject* self, PyObject*);
PyObject* cown_enter(PyObject* self, PyObject*);
PyObject* cown_exit(PyObject* self, PyObject* args);
PyObject* cown_result(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* unwrap_cown(Payload* payload);

// hold(*cowns, timeout=None), a context manager.
int add_hold_type(PyObject* module);

}  // namespace boc::py
