// with scope() as s: waits at exit for all that was scheduled inside.
#pragma once

#include "compat.h"

namespace boc::py {

int add_scope_type(PyObject* module);

}  // namespace boc::py
