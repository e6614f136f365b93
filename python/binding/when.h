// when(*cowns) and whencall(function, cowns, captures).
#pragma once

#include "cown_type.h"

namespace boc::py {

int add_when_type(PyObject* module);
extern PyMethodDef when_methods[];

// The decorator for `n` arguments; its behaviors count in `scope_object`'s scope (borrowed; null: the current one).
PyObject* make_when(PyObject* const* arguments, Py_ssize_t n, PyObject* scope_object);
PyObject* call_whencall(PyObject* const* args, Py_ssize_t n, PyObject* kwnames, PyObject* scope_object);

}  // namespace boc::py
