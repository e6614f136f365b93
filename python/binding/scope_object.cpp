#include "scope_object.h"

#include "py_errors.h"
#include "runtime.h"

namespace boc::py {
namespace {

constexpr const char* SCOPE_HAS_ENDED = "this scope has ended: nothing more can be scheduled in it";

PyObject* current_variable = nullptr;  // ContextVar: the scope object of the thread or task
atomic<bool> ever_used{false};

void finish(ScopeObject* self) noexcept {
  PyBehavior* done;
  Scope* scope;
  {
    std::lock_guard guard(self->state->mutex);
    if (self->state->finished) return;
    self->state->finished = true;  // A2
    done = self->state->done_behavior;
    self->state->done_behavior = nullptr;
    scope = self->scope;
    self->scope = nullptr;
  }
  if (done) runtime().scheduler().satisfy(here(), *done);
  scope->unref();
}

void gone(Scope&, void* object) {
  Py_DECREF(static_cast<PyObject*>(object));
}  // A1

void became_idle(Scope&, void* object) {
  auto* self = static_cast<ScopeObject*>(object);
  // Seq_cst: partner of close(), which sets closed before it looks at the count.
  if (self->state->closed.load(seq_cst)) finish(self);
}

void let_go(Payload* p) noexcept {
  if (p->unref()) runtime().backend().drop(p);
}

// Those failures that nobody has looked at, as a list; they count as looked at now. Null with an error.
PyObject* take_failures(ScopeObject* self) {
  std::vector<Payload*> failures;
  {
    std::lock_guard guard(self->state->mutex);
    failures.swap(self->state->failures);
  }
  PyObject* list = PyList_New(0);
  for (Payload* p : failures) {
    if (list && p->failed.load(relaxed) && !p->looked.load(relaxed)) {
      runtime().failures().look(*p);
      Ref error(p->peek());
      if (PyList_Append(list, error.get()) < 0) Py_CLEAR(list);
    }
    let_go(p);
  }
  return list;
}

}  // namespace

Borrowed::Borrowed(ScopeObject* self) noexcept {
  if (!self) return;
  std::lock_guard guard(self->state->mutex);
  scope_ = self->scope;
  if (scope_) scope_->ref();
}

Borrowed::~Borrowed() {
  if (scope_) scope_->unref();
}

OpenScope::OpenScope(PyObject* o) noexcept : borrowed_(o ? scope_of(o) : nullptr) {
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
  if (!static_cast<ScopeObject*>(scope.user_data)->state->closed.load(seq_cst)) return 0;
  PyErr_SetString(PyExc_RuntimeError, SCOPE_HAS_ENDED);
  return -1;
}

Scope* current_scope() {
  Context& c = context();
  if (c.current) return c.scope;
  if (ever_used.load(relaxed)) {
    PyObject* value = nullptr;
    if (PyContextVar_Get(current_variable, nullptr, &value) == 0 && value) {
      ScopeObject* object = scope_of(value);
      // Threads may start with a copy of their maker's context, but the scope is that of its own thread.
      // Not closed, and only this thread can close it: the core scope stays.
      bool mine = object->thread == PyThread_get_thread_ident() && !object->state->closed.load(relaxed);
      Scope* scope = mine ? object->scope : nullptr;
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
    ever_used.store(true, relaxed);
    self->token = PyContextVar_Set(current_variable, reinterpret_cast<PyObject*>(self));
    if (!self->token) return -1;
  }
  c.scopes.push_back(scope);
  return 0;
}

void leave_context(ScopeObject* self) {
  Context& c = context();
  std::erase(c.scopes, self->scope);  // mostly the last, but an outer one may be left first
  if (self->in_behavior) {
    c.scope = c.scopes.empty() ? c.current->scope : c.scopes.back();
    return;
  }
  PyObject* token = self->token;
  self->token = nullptr;
  int reset = PyContextVar_Reset(current_variable, token);
  Py_XDECREF(token);
  if (reset < 0) PyErr_Clear();  // left in another context than entered in: nothing of ours is current there
}

void attach(ScopeObject* self, Scope* scope) {
  Py_INCREF(self);  // A1
  scope->user_data = self;
  scope->listen(became_idle, gone, self);
  std::lock_guard guard(self->state->mutex);
  self->scope = scope;
}

void close(ScopeObject* self, Scope& scope) noexcept {
  self->state->closed.store(true, seq_cst);
  if (scope.idle()) finish(self);
}

void end_scope(Scope& scope) noexcept {
  auto* self = static_cast<ScopeObject*>(scope.user_data);
  self->state->left.store(true, relaxed);
  close(self, scope);
}

PyObject* install_done(ScopeObject* self, PyBehavior* behavior, PyObject* result) noexcept {
  std::lock_guard guard(self->state->mutex);
  if (self->state->done) return Py_NewRef(self->state->done);
  self->state->done = Py_NewRef(result);
  if (!self->state->finished) {
    behavior->countdown.store(2, relaxed);  // one more condition: finish()
    self->state->done_behavior = behavior;
  }
  return nullptr;
}

PyObject* find_done(ScopeObject* self) noexcept {
  std::lock_guard guard(self->state->mutex);
  return Py_XNewRef(self->state->done);
}

void collect_failure(Scope& scope, Payload& result) {
  auto* self = static_cast<ScopeObject*>(scope.user_data);
  if (!self) return;
  result.ref();
  std::lock_guard guard(self->state->mutex);
  self->state->failures.push_back(&result);
}

int raise_failures(ScopeObject* self) {
  Ref list(take_failures(self));
  if (!list) return -1;
  if (PyList_GET_SIZE(list.get()) == 0) return 0;
  Ref make(module_attribute("bocpy._reports", "failure_group"));
  Ref group(make ? PyObject_CallOneArg(make.get(), list.get()) : nullptr);
  if (group) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(group.get())), group.get());
  return -1;
}

void forget_failures(ScopeObject* self) noexcept {
  for (Payload* p : self->state->failures) let_go(p);
  self->state->failures.clear();
}

int make_scope_variable() {
  current_variable = PyContextVar_New("bocpy_scope", nullptr);
  return current_variable ? 0 : -1;
}

}  // namespace boc::py
