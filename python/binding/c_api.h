// The table of functions for other extension modules (bocpy/runtime.h), in a capsule of the module.
#pragma once

#include "compat.h"

namespace boc::py {

int add_c_api(PyObject* module);

}  // namespace boc::py
