// The types of the extension module: one of each in every interpreter.
#pragma once

#include "compat.h"

namespace boc::py {

// Builds a type from a spec, immortal where shared reference counts would be fought over.
PyTypeObject* make_type(PyObject* module, PyType_Spec* spec, PyTypeObject* base);
void immortalize(PyObject* o) noexcept;

}  // namespace boc::py
