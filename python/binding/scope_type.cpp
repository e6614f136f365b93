#include "scope_type.h"

#include <new>
#include <vector>

#include "collect.h"
#include "py_errors.h"
#include "runtime.h"
#include "when.h"

namespace boc::py {
namespace {

// Invariants
//   A1  From __enter__ on the core scope holds a reference on the object, until the core scope is destroyed: pending
//       behaviors report their failures to it, and whoever ends the last of them tells it so.
//   A2  finished is set once, by whoever first sees closed and idle together; the object lets go of the core scope
//       then. Others borrow it through Borrowed.
struct ScopeState {
  Mutex mutex;  // guards failures, done_behavior, done, finished; never held while Python code runs
  std::vector<Payload*> failures;
  PyBehavior* done_behavior = nullptr;
  PyObject* done = nullptr;  // strong: the result of done_behavior, once asked for
  atomic<bool> entered{false};
  atomic<bool> left{false};
  atomic<bool> closed{false};
  bool finished = false;
};

struct ScopeObject {
  PyObject_HEAD Scope* scope;  // null until entered and once finished; guarded by state->mutex
  ScopeState* state;
  PyObject* token;  // of the context variable, outside behaviors
  Scope* outer;     // inside a behavior: what was current before
  unsigned long thread;
  bool in_behavior;
};

constexpr const char* SCOPE_HAS_ENDED = "this scope has ended: nothing more can be scheduled in it";

PyObject* current_variable = nullptr;  // ContextVar: the scope object of the thread or task
atomic<bool> ever_used{false};

ScopeObject* scope_of(PyObject* o) noexcept {
  return reinterpret_cast<ScopeObject*>(o);
}

// The core scope with a reference of the borrower's own; null if there is none any more, or not yet.
class Borrowed {
 public:
  explicit Borrowed(ScopeObject* self) noexcept {
    std::lock_guard guard(self->state->mutex);
    scope_ = self->scope;
    if (scope_) scope_->ref();
  }
  ~Borrowed() {
    if (scope_) scope_->unref();
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  Scope* get() const noexcept { return scope_; }

 private:
  Scope* scope_;
};

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

void close(ScopeObject* self, Scope& scope) noexcept {
  self->state->closed.store(true, seq_cst);
  if (scope.idle()) finish(self);
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

// Raises what failed in the scope as an exception group. 0 if nothing did, -1 raised.
int raise_failures(ScopeObject* self) {
  Ref list(take_failures(self));
  if (!list) return -1;
  if (PyList_GET_SIZE(list.get()) == 0) return 0;
  Ref make(module_attribute("bocpy._reports", "failure_group"));
  Ref group(make ? PyObject_CallOneArg(make.get(), list.get()) : nullptr);
  if (group) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(group.get())), group.get());
  return -1;
}

PyObject* scope_enter(PyObject* o, PyObject*) {
  ScopeObject* self = scope_of(o);
  if (self->state->entered.exchange(true)) {
    PyErr_SetString(PyExc_RuntimeError, "this scope() has been entered already: make a new one for each `with`");
    return nullptr;
  }
  auto* scope = new (std::nothrow) Scope(current_scope());
  if (!scope) return PyErr_NoMemory();
  Context& c = context();
  scope->user_data = self;
  self->thread = PyThread_get_thread_ident();
  self->in_behavior = c.current != nullptr;
  ever_used.store(true, relaxed);
  if (self->in_behavior) {
    self->outer = c.scope;
    c.scope = scope;
  } else if (!(self->token = PyContextVar_Set(current_variable, o))) {
    scope->unref();
    return nullptr;
  }
  Py_INCREF(o);  // A1
  scope->listen(became_idle, gone, self);
  std::lock_guard guard(self->state->mutex);
  self->scope = scope;
  return Py_NewRef(o);
}

int leave_context(ScopeObject* self) {
  if (self->in_behavior) {
    context().scope = self->outer;
    return 0;
  }
  PyObject* token = self->token;
  self->token = nullptr;
  int reset = PyContextVar_Reset(current_variable, token);
  Py_XDECREF(token);
  if (reset < 0) PyErr_Clear();  // left in another context than entered in: nothing of ours is current there
  return 0;
}

// 0, or -1 with an error, and then all that has not begun is cancelled.
int wait_and_close(ScopeObject* self, Scope& scope) {
  constexpr const char* WHAT = "the exit of a scope";
  int idle = wait_idle(scope, FOREVER, WHAT);
  if (idle < 0) scope.cancel();
  close(self, scope);
  // Other threads may have scheduled something since (s.when): the last, as it is closed now.
  if (idle > 0 && !scope.idle() && (idle = wait_idle(scope, FOREVER, WHAT)) < 0) scope.cancel();
  return idle < 0 ? -1 : 0;
}

PyObject* scope_exit(PyObject* o, PyObject* args) {
  PyObject *type, *value, *traceback;
  if (!PyArg_ParseTuple(args, "OOO:__exit__", &type, &value, &traceback)) return nullptr;
  ScopeObject* self = scope_of(o);
  Borrowed borrowed(self);
  if (!borrowed.get() || self->state->left.exchange(true)) {
    PyErr_SetString(PyExc_RuntimeError, "this scope() is not entered");
    return nullptr;
  }
  Scope& scope = *borrowed.get();
  leave_context(self);
  const bool raised = type != Py_None;
  if (raised) scope.cancel();
  if (self->in_behavior) {
    close(self, scope);
    Py_RETURN_FALSE;
  }
  if (context().batch) {
    scope.cancel();
    close(self, scope);
    if (raised) Py_RETURN_FALSE;
    refuse_in_batch("the exit of a scope");
    return nullptr;
  }
  if (wait_and_close(self, scope) < 0) {
    // It would wait for itself; while an exception passes through, that one matters more. Ctrl-C always counts.
    if (!raised || PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) return nullptr;
    PyErr_Clear();
    Py_RETURN_FALSE;
  }
  if (!raised && raise_failures(self) < 0) return nullptr;
  Py_RETURN_FALSE;
}

// For a scope that is not there: ended, so there is nothing to do, or not entered yet.
PyObject* nothing_or_refuse(ScopeObject* self) {
  if (self->state->entered.load(relaxed)) Py_RETURN_NONE;
  PyErr_SetString(PyExc_RuntimeError, "this scope is not entered yet: use `with scope() as s:`");
  return nullptr;
}

PyObject* scope_wait(PyObject* o, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"timeout", nullptr};
  PyObject* timeout = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:wait", const_cast<char**>(names), &timeout)) return nullptr;
  const double seconds = parse_timeout(timeout);
  if (seconds < 0) return nullptr;
  if (refuse_in_behavior("scope.wait()") < 0 || refuse_in_batch("scope.wait()") < 0) return nullptr;
  Borrowed scope(scope_of(o));
  if (!scope.get()) return nothing_or_refuse(scope_of(o));
  int idle = wait_idle(*scope.get(), monotonic_now() + seconds, "scope.wait()");
  if (idle < 0 || (idle == 0 && raise_timeout("scope.wait()", seconds) < 0)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* scope_cancel(PyObject* o, PyObject*) {
  Borrowed scope(scope_of(o));
  if (!scope.get()) return nothing_or_refuse(scope_of(o));
  scope.get()->cancel();
  Py_RETURN_NONE;
}

PyObject* scope_when(PyObject* o, PyObject* const* args, Py_ssize_t n) {
  return make_when(args, n, o);
}

PyObject* scope_whencall(PyObject* o, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  return call_whencall(args, n, kwnames, o);
}

// The body of the behavior behind `done`.
PyObject* scope_outcome(PyObject* o, PyObject*) {
  if (raise_failures(scope_of(o)) < 0) return nullptr;
  Py_RETURN_NONE;
}

// Makes `result`, of `behavior`, what the scope's `done` is, unless another thread was quicker: its cown is returned
// then, as a new reference.
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

PyObject* scope_get_done(PyObject* o, void*) {
  ScopeObject* self = scope_of(o);
  {
    std::lock_guard guard(self->state->mutex);
    if (self->state->done) return Py_NewRef(self->state->done);
  }
  Borrowed scope(self);
  if (!scope.get() && !self->state->left.load(relaxed)) {
    PyErr_SetString(PyExc_RuntimeError, "a scope has its `done` once it is entered");
    return nullptr;
  }
  Scope* parent = scope.get() ? scope.get()->parent() : current_scope();
  PyObject* outcome = PyObject_GetAttrString(o, "_outcome");
  PyObject* result = nullptr;
  PyBehavior* behavior = outcome ? make_plain(outcome, parent, &result) : nullptr;
  if (!behavior) return nullptr;
  if (PyObject* other = install_done(self, behavior, result)) {
    cancel_unscheduled(*behavior);
    Py_DECREF(result);
    return other;
  }
  runtime().scheduler().schedule(here(), *behavior);
  return result;
}

PyObject* scope_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) || (kwargs && PyDict_GET_SIZE(kwargs))) {
    PyErr_SetString(PyExc_TypeError, "scope() takes no arguments");
    return nullptr;
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self) scope_of(self)->state = new ScopeState;
  return self;
}

void scope_dealloc(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  PyObject_GC_UnTrack(o);
  ScopeObject* self = scope_of(o);
  PyObject* raised = take_exception();                 // an error may be passing through
  for (Payload* p : self->state->failures) let_go(p);  // nobody asked the scope: they are reported like any others
  PyErr_Clear();
  Py_CLEAR(self->state->done);
  Py_CLEAR(self->token);
  raise_exception(raised);
  delete self->state;
  type->tp_free(o);
  Py_DECREF(type);
}

int scope_traverse(PyObject* o, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(o));
  Py_VISIT(scope_of(o)->state->done);
  Py_VISIT(scope_of(o)->token);
  return 0;
}

int scope_clear(PyObject* o) {
  Py_CLEAR(scope_of(o)->state->done);
  Py_CLEAR(scope_of(o)->token);
  return 0;
}

PyMethodDef scope_methods[] = {
    {"__enter__", scope_enter, METH_NOARGS, nullptr},
    {"__exit__", scope_exit, METH_VARARGS, nullptr},
    {"wait", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(scope_wait)), METH_VARARGS | METH_KEYWORDS,
     "wait(timeout=None)\n--\n\nWait until nothing scheduled in the scope is pending; TimeoutError after "
     "`timeout` "
     "seconds."},
    {"cancel", scope_cancel, METH_NOARGS,
     "cancel()\n--\n\nDrop what has not begun: its results fail with CancelledError. What runs goes on."},
    {"when", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(scope_when)), METH_FASTCALL,
     "when(*cowns)\n--\n\nAs bocpy.when, for this scope: from any thread."},
    {"whencall", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(scope_whencall)), METH_FASTCALL | METH_KEYWORDS,
     "whencall(func, args, captures=())\n--\n\nAs bocpy.whencall, for this scope: from any thread."},
    {"_outcome", scope_outcome, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef scope_getset[] = {
    {"done", scope_get_done, nullptr,
     "A cown that is released when the scope has ended: None, or failed with an ExceptionGroup.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot scope_slots[] = {
    {Py_tp_doc, const_cast<char*>("scope()\n--\n\nA context manager that waits at exit for every behavior scheduled "
                                  "inside, nested ones included, and raises what failed as an ExceptionGroup.")},
    {Py_tp_new, reinterpret_cast<void*>(scope_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(scope_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(scope_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(scope_clear)},
    {Py_tp_methods, scope_methods},
    {Py_tp_getset, scope_getset},
    {0, nullptr}};
PyType_Spec scope_spec = {"bocpy.scope", sizeof(ScopeObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, scope_slots};

}  // namespace

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

OpenScope::OpenScope(PyObject* o) noexcept {
  if (!o) return;
  ScopeState& state = *scope_of(o)->state;
  {
    std::lock_guard guard(state.mutex);
    scope_ = scope_of(o)->scope;
    if (scope_) scope_->ref();
  }
  if (scope_ && !state.closed.load(acquire)) return;
  failed_ = true;
  PyErr_SetString(PyExc_RuntimeError, state.entered.load(relaxed) ? SCOPE_HAS_ENDED
                                                                  : "this scope is not entered yet: use `with scope() "
                                                                    "as s:`");
}

OpenScope::~OpenScope() {
  if (scope_) scope_->unref();
}

int refuse_closed_scope(Scope& scope) {
  // Seq_cst: partner of close(), which sets closed before it looks at the count.
  if (!static_cast<ScopeObject*>(scope.user_data)->state->closed.load(seq_cst)) return 0;
  PyErr_SetString(PyExc_RuntimeError, SCOPE_HAS_ENDED);
  return -1;
}

void collect_failure(Scope& scope, Payload& result) {
  auto* self = static_cast<ScopeObject*>(scope.user_data);
  if (!self) return;
  result.ref();
  std::lock_guard guard(self->state->mutex);
  self->state->failures.push_back(&result);
}

int add_scope_type(PyObject* module) {
  current_variable = PyContextVar_New("bocpy_scope", nullptr);
  PyTypeObject* type = current_variable ? make_type(module, &scope_spec, nullptr) : nullptr;
  return type ? PyModule_AddObjectRef(module, "scope", reinterpret_cast<PyObject*>(type)) : -1;
}

}  // namespace boc::py
