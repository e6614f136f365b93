// with scope() as s: waits at exit for all that was scheduled inside.
#pragma once

#include "cown_type.h"

namespace boc::py {

// The scope that behaviors scheduled here and now count in: the behavior's, the thread's or task's, else the root.
Scope* current_scope();

// The core scope behind a Python scope that can still be scheduled in, and a reference on it.
class OpenScope {
 public:
  // Of no scope object, null: no scope of the caller's choice.
  explicit OpenScope(PyObject* scope_object) noexcept;
  ~OpenScope();
  OpenScope(const OpenScope&) = delete;
  OpenScope& operator=(const OpenScope&) = delete;

  bool failed() const noexcept { return failed_; }  // a RuntimeError is set
  Scope* get() const noexcept { return scope_; }

 private:
  Scope* scope_ = nullptr;
  bool failed_ = false;
};

// -1 with RuntimeError if the scope of an OpenScope has been closed meanwhile. To be asked once the behavior is counted
// in it: then either the closing thread sees the behavior, or its scheduler sees the end.
int refuse_closed_scope(Scope& scope);

// ThreadBackend::on_failure: the scope keeps the failed result until its exit.
void collect_failure(Scope& scope, Payload& result);

int add_scope_type(PyObject* module);

}  // namespace boc::py
