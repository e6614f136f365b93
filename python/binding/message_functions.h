// send, receive, set_tags, drain: messages between behaviors, threads and interpreters.
#pragma once

#include "compat.h"

namespace boc::py {

// Adds them to the module, with TIMEOUT. -1 with an error.
int add_message_functions(PyObject* module);

}  // namespace boc::py
