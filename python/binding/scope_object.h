// The object behind `with scope()`, and what others ask of it.
#pragma once

#include <vector>

#include "cown_type.h"

namespace boc::py {

// Invariants
//   A1  From __enter__ on the core scope holds a reference on the state, until the core scope is destroyed: pending
//       behaviors report their failures to it, and whoever ends the last of them tells it so. Those may be threads of
//       other interpreters, so nothing in the state is a Python object.
//   A2  finished is set once, by whoever first sees closed and idle together; the state lets go of the core scope
//       then. Others borrow it through Borrowed.
struct ScopeState {
  Mutex mutex;             // guards scope, failures, done_behavior, done, finished; never held while Python code runs
  Scope* scope = nullptr;  // null until entered and once finished
  std::vector<Payload*> failures;
  PyBehavior* done_behavior = nullptr;
  Payload* done = nullptr;  // a reference: the result of done_behavior, once asked for
  atomic<uint32_t> refs{1};
  atomic<bool> entered{false};
  atomic<bool> left{false};
  atomic<bool> closed{false};
  bool finished = false;
};
void let_go_state(ScopeState* state) noexcept;

struct ScopeObject {
  PyObject_HEAD ScopeState* state;  // a reference
  PyObject* token;                  // of the context variable, outside behaviors
  unsigned long thread;
  bool in_behavior;
};

inline ScopeObject* scope_of(PyObject* o) noexcept {
  return reinterpret_cast<ScopeObject*>(o);
}

// The core scope with a reference of the borrower's own; null if there is none any more, or not yet.
class Borrowed {
 public:
  explicit Borrowed(ScopeState* state) noexcept;
  ~Borrowed();
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  Scope* get() const noexcept { return scope_; }

 private:
  Scope* scope_ = nullptr;
};

// The core scope behind a Python scope that can still be scheduled in. Of null: no scope of the caller's choice.
class OpenScope {
 public:
  explicit OpenScope(PyObject* scope_object) noexcept;
  bool failed() const noexcept { return failed_; }  // a RuntimeError is set
  Scope* get() const noexcept { return borrowed_.get(); }

 private:
  Borrowed borrowed_;
  bool failed_ = false;
};

// -1 with RuntimeError if the scope of an OpenScope has been closed meanwhile. To be asked once the behavior is counted
// in it: then either the closing thread sees the behavior, or its scheduler sees the end.
int refuse_closed_scope(Scope& scope);

// The scope that behaviors scheduled here and now count in: the behavior's, the thread's or task's, else the root.
Scope* current_scope();

// Makes the entered scope the current one of the thread, task or behavior, and undoes that. -1 with an error.
int enter_context(ScopeObject* self, Scope* scope);
void leave_context(ScopeObject* self);

// The state learns when its core scope becomes idle, and lives as long as that (A1).
void attach(ScopeState* state, Scope* scope);
// Nobody can schedule in it by its name any more. Finished as soon as it is idle.
void close(ScopeState* state, Scope& scope) noexcept;

// The scope of a behavior or thread that ends without leaving it ends, too.
void end_scope(Scope& scope) noexcept;

// Makes the result of `behavior` what the scope's `done` is, unless another thread was quicker: its cown is returned
// then, with a reference.
Payload* install_done(ScopeState* state, PyBehavior* behavior) noexcept;
// That cown with a reference; null if nobody has asked for it yet.
Payload* find_done(ScopeState* state) noexcept;

// PyBackend::on_failure: the scope keeps the failed result until its exit.
void collect_failure(Scope& scope, Payload& result);
// Raises what failed in the scope, and nobody has looked at, as an exception group. 0 if nothing did, -1 raised.
int raise_failures(ScopeState* state);
// Lets go of what failed: it is reported like any other failure.
void forget_failures(ScopeState* state) noexcept;

// Once, before the first scope. -1 with an error.
int make_scope_variable();

}  // namespace boc::py
