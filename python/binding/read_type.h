// read(cowns): an argument of @when and hold that asks for reading only.
#pragma once

#include "compat.h"

namespace boc::py {

int add_read_type(PyObject* module);

}  // namespace boc::py
