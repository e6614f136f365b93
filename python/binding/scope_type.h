// with scope() as s: waits at exit for all that was scheduled inside.
#pragma once

#include "cown_type.h"

namespace boc::py {

// The scope that behaviors scheduled here and now count in: the behavior's, the thread's or task's, else the root.
Scope* current_scope();

// The core scope behind a Python scope that can still be scheduled in; null with RuntimeError.
Scope* open_scope(PyObject* scope_object);

// ThreadBackend::on_failure: the scope keeps the failed result until its exit.
void collect_failure(Scope& scope, Payload& result);

int add_scope_type(PyObject* module);

}  // namespace boc::py
