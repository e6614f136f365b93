// read(cowns): an argument of @when and hold that asks for reading only.
#pragma once

#include "compat.h"

namespace boc::py {

struct ReadObject {
  PyObject_HEAD PyObject* inner;  // a cown, or a list or tuple of them
};

extern PyTypeObject* read_type;

int add_read_type(PyObject* module);

}  // namespace boc::py
