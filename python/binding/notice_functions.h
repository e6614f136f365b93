// notice_write and its kin: the noticeboard's functions in the module, and REMOVED.
#pragma once

#include "compat.h"

namespace boc::py {

int add_notice_functions(PyObject* module);
// In the child of a fork.
void notices_after_fork() noexcept;

}  // namespace boc::py
