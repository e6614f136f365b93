#include "scope_object.h"

#include <utility>

#include "py_errors.h"
#include "runtime.h"

namespace boc::py {
namespace {

constexpr const char* SCOPE_HAS_ENDED = "this scope has ended: nothing more can be scheduled in it";

void finish(ScopeState* state) noexcept {
  PyBehavior* done;
  Scope* scope;
  {
    std::lock_guard guard(state->mutex);
    if (state->finished) return;
    state->finished = true;  // A2
    done = std::exchange(state->done_behavior, nullptr);
    scope = std::exchange(state->scope, nullptr);
  }
  if (done) runtime().scheduler().satisfy(here(), *done);
  scope->unref();
}

void gone(Scope&, void* state) {
  let_go_state(static_cast<ScopeState*>(state));  // A1
}

void became_idle(Scope&, void* argument) {
  auto* state = static_cast<ScopeState*>(argument);
  // Seq_cst: partner of close(), which sets closed before it looks at the count.
  if (state->closed.load(seq_cst)) finish(state);
}

void let_go(Payload* p) noexcept {
  if (p->unref()) backend().drop(p);
}

// Those failures that nobody has looked at, as a list; they count as looked at now. Null with an error.
PyObject* take_failures(ScopeState* state) {
  std::vector<Payload*> failures;
  {
    std::lock_guard guard(state->mutex);
    failures.swap(state->failures);
  }
  PyObject* list = PyList_New(0);
  for (Payload* p : failures) {
    if (list && p->failed.load(relaxed) && !p->looked.load(relaxed)) {
      runtime().failures().look(*p);
      Ref error(unseen_error(*p));
      if (error && PyList_Append(list, error.get()) < 0) Py_CLEAR(list);
    }
    let_go(p);
  }
  return list;
}

}  // namespace

void let_go_state(ScopeState* state) noexcept {
  if (state->refs.fetch_sub(1, acq_rel) != 1) return;
  if (state->done) let_go(state->done);
  forget_failures(state);
  delete state;
}

Borrowed::Borrowed(ScopeState* state) noexcept {
  if (!state) return;
  std::lock_guard guard(state->mutex);
  scope_ = state->scope;
  if (scope_) scope_->ref();
}

Borrowed::~Borrowed() {
  if (scope_) scope_->unref();
}

OpenScope::OpenScope(PyObject* o) noexcept : borrowed_(o ? scope_of(o)->state : nullptr) {
  if (!o) return;
  ScopeState& state = *scope_of(o)->state;
  if (borrowed_.get() && !state.closed.load(acquire)) return;
  failed_ = true;
  PyErr_SetString(PyExc_RuntimeError, state.entered.load(relaxed)
                                          ? SCOPE_HAS_ENDED
                                          : "this scope is not entered yet: use `with scope() as s:`");
}

int refuse_closed_scope(Scope& scope) {
  // Seq_cst: partner of close(), which sets closed before it looks at the count.
  if (!static_cast<ScopeState*>(scope.user_data)->closed.load(seq_cst)) return 0;
  PyErr_SetString(PyExc_RuntimeError, SCOPE_HAS_ENDED);
  return -1;
}

Scope* current_scope() {
  Context& c = context();
  if (c.current) return c.scope;
  if (home().scopes_used.load(relaxed)) {
    PyObject* value = nullptr;
    if (PyContextVar_Get(home().scope_variable, nullptr, &value) == 0 && value) {
      ScopeObject* object = scope_of(value);
      // Threads may start with a copy of their maker's context, but the scope is that of its own thread.
      // Not closed, and only this thread can close it: the core scope stays.
      bool mine = object->thread == PyThread_get_thread_ident() && !object->state->closed.load(relaxed);
      Scope* scope = mine ? object->state->scope : nullptr;
      Py_DECREF(value);
      if (scope) return scope;
    }
    PyErr_Clear();
  }
  return &runtime().scheduler().root();
}

int enter_context(ScopeObject* self, Scope* scope) {
  Context& c = context();
  self->thread = PyThread_get_thread_ident();
  self->in_behavior = c.current != nullptr;
  if (self->in_behavior) {
    c.scope = scope;
  } else {
    home().scopes_used.store(true, relaxed);
    self->token = PyContextVar_Set(home().scope_variable, reinterpret_cast<PyObject*>(self));
    if (!self->token) return -1;
  }
  c.scopes.push_back(scope);
  return 0;
}

void leave_context(ScopeObject* self) {
  Context& c = context();
  std::erase(c.scopes, self->state->scope);  // mostly the last, but an outer one may be left first
  if (self->in_behavior) {
    c.scope = c.scopes.empty() ? c.current->scope : c.scopes.back();
    return;
  }
  PyObject* token = self->token;
  self->token = nullptr;
  int reset = PyContextVar_Reset(home().scope_variable, token);
  Py_XDECREF(token);
  if (reset < 0) PyErr_Clear();  // left in another context than entered in: nothing of ours is current there
}

void attach(ScopeState* state, Scope* scope) {
  state->refs.fetch_add(1, relaxed);  // A1
  scope->user_data = state;
  scope->listen(became_idle, gone, state);
  std::lock_guard guard(state->mutex);
  state->scope = scope;
}

void close(ScopeState* state, Scope& scope) noexcept {
  state->closed.store(true, seq_cst);
  if (scope.idle()) finish(state);
}

void end_scope(Scope& scope) noexcept {
  auto* state = static_cast<ScopeState*>(scope.user_data);
  state->left.store(true, relaxed);
  close(state, scope);
}

Payload* install_done(ScopeState* state, PyBehavior* behavior) noexcept {
  std::lock_guard guard(state->mutex);
  if (state->done) {
    state->done->ref();
    return state->done;
  }
  state->done = behavior->result;
  state->done->ref();
  if (!state->finished) {
    behavior->countdown.store(2, relaxed);  // one more condition: finish()
    state->done_behavior = behavior;
  }
  return nullptr;
}

Payload* find_done(ScopeState* state) noexcept {
  std::lock_guard guard(state->mutex);
  if (state->done) state->done->ref();
  return state->done;
}

void collect_failure(Scope& scope, Payload& result) {
  auto* state = static_cast<ScopeState*>(scope.user_data);
  if (!state) return;
  result.ref();
  std::lock_guard guard(state->mutex);
  state->failures.push_back(&result);
}

int raise_failures(ScopeState* state) {
  Ref list(take_failures(state));
  if (!list) return -1;
  if (PyList_GET_SIZE(list.get()) == 0) return 0;
  Ref make(module_attribute("bocpy._reports", "failure_group"));
  Ref group(make ? PyObject_CallOneArg(make.get(), list.get()) : nullptr);
  if (group) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(group.get())), group.get());
  return -1;
}

void forget_failures(ScopeState* state) noexcept {
  std::vector<Payload*> failures;
  failures.swap(state->failures);
  for (Payload* p : failures) let_go(p);
}

int make_scope_variable() {
  home().scope_variable = PyContextVar_New("bocpy_scope", nullptr);
  return home().scope_variable ? 0 : -1;
}

}  // namespace boc::py
