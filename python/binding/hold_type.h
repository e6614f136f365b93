// hold(*cowns, timeout=None), a context manager.
#pragma once

#include "compat.h"

namespace boc::py {

int add_hold_type(PyObject* module);

}  // namespace boc::py
