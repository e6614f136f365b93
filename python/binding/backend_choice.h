// Which backend runs behaviors: the one place where both are known.
#pragma once

#include "py_backend.h"

namespace boc::py {

// A new backend, kept for the process's life. In the main interpreter.
PyBackend& make_backend(bool sub_interpreters);
// What the backends' Python parts need of the module. -1 with an error.
int add_backend_functions(PyObject* module);
// What the last call was asked for.
bool sub_interpreters_chosen() noexcept;

}  // namespace boc::py
