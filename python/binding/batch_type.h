// with batch(): what is scheduled inside goes on its way as one step, at exit.
#pragma once

#include <vector>

#include "cown_type.h"

namespace boc::py {

struct Batch {
  std::vector<PyBehavior*> members;
  atomic<bool> abandoned{false};  // its behavior or thread has ended: it belongs to its object alone
};

// False if there is no memory for it.
bool add_to_batch(Batch& batch, PyBehavior& behavior) noexcept;
// The batch of a behavior or thread that ends without leaving it: nothing of it is scheduled.
void abandon_batch(Batch& batch) noexcept;
int add_batch_type(PyObject* module);

}  // namespace boc::py
