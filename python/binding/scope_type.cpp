#include "scope_type.h"

#include <new>

#include "collect.h"
#include "runtime.h"
#include "scope_object.h"
#include "waiting_behaviors.h"
#include "when.h"

namespace boc::py {
namespace {

PyObject* scope_enter(PyObject* o, PyObject*) {
  ScopeObject* self = scope_of(o);
  if (self->state->entered.exchange(true)) {
    PyErr_SetString(PyExc_RuntimeError, "this scope() has been entered already: make a new one for each `with`");
    return nullptr;
  }
  auto* scope = new (std::nothrow) Scope(current_scope());
  if (!scope) return PyErr_NoMemory();
  if (enter_context(self, scope) < 0) {
    scope->unref();
    return nullptr;
  }
  attach(self->state, scope);
  return Py_NewRef(o);
}

// 0, or -1 with an error, and then all that has not begun is cancelled.
int wait_and_close(ScopeObject* self, Scope& scope) {
  constexpr const char* WHAT = "the exit of a scope";
  int idle = wait_idle(scope, FOREVER, WHAT);
  if (idle < 0) cancel_scope(scope);
  close(self->state, scope);
  // Other threads may have scheduled something since (s.when): the last, as it is closed now.
  if (idle > 0 && !scope.idle() && (idle = wait_idle(scope, FOREVER, WHAT)) < 0) cancel_scope(scope);
  return idle < 0 ? -1 : 0;
}

PyObject* scope_exit(PyObject* o, PyObject* args) {
  PyObject *type, *value, *traceback;
  if (!PyArg_ParseTuple(args, "OOO:__exit__", &type, &value, &traceback)) return nullptr;
  ScopeObject* self = scope_of(o);
  Borrowed borrowed(self->state);
  if (borrowed.get() && self->thread != PyThread_get_thread_ident()) {
    PyErr_SetString(PyExc_RuntimeError, "a scope ends in the thread that entered it");
    return nullptr;
  }
  if (!borrowed.get() || self->state->left.exchange(true)) {
    PyErr_SetString(PyExc_RuntimeError, "this scope() is not entered");
    return nullptr;
  }
  Scope& scope = *borrowed.get();
  leave_context(self);
  const bool raised = type != Py_None;
  if (raised) cancel_scope(scope);
  if (self->in_behavior) {
    close(self->state, scope);
    Py_RETURN_FALSE;
  }
  if (context().batch) {
    cancel_scope(scope);
    close(self->state, scope);
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
  if (!raised && raise_failures(self->state) < 0) return nullptr;
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
  Borrowed scope(scope_of(o)->state);
  if (!scope.get()) return nothing_or_refuse(scope_of(o));
  int idle = wait_idle(*scope.get(), monotonic_now() + seconds, "scope.wait()");
  if (idle < 0 || (idle == 0 && raise_timeout("scope.wait()", seconds) < 0)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* scope_cancel(PyObject* o, PyObject*) {
  Borrowed scope(scope_of(o)->state);
  if (!scope.get()) return nothing_or_refuse(scope_of(o));
  cancel_scope(*scope.get());
  Py_RETURN_NONE;
}

PyObject* scope_when(PyObject* o, PyObject* const* args, Py_ssize_t n) {
  return make_when(args, n, o);
}

PyObject* scope_whencall(PyObject* o, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  return call_whencall(args, n, kwnames, o);
}

// The body of the behavior behind `done`.
PyObject* outcome(void* state) {
  if (raise_failures(static_cast<ScopeState*>(state)) < 0) return nullptr;
  Py_RETURN_NONE;
}

void let_go_outcome(void* state) noexcept {
  let_go_state(static_cast<ScopeState*>(state));
}

PyObject* scope_get_done(PyObject* o, void*) {
  ScopeState* state = scope_of(o)->state;
  if (Payload* done = find_done(state)) return wrap_payload(done);
  Borrowed scope(state);
  if (!scope.get() && !state->left.load(relaxed)) {
    PyErr_SetString(PyExc_RuntimeError, "a scope has its `done` once it is entered");
    return nullptr;
  }
  Scope* parent = scope.get() ? scope.get()->parent() : current_scope();
  NativeBehavior* body = backend().make_native(0);
  if (!body) return nullptr;
  body->body = outcome;
  body->let_go = let_go_outcome;
  body->argument = state;
  state->refs.fetch_add(1, relaxed);
  PyObject* result = nullptr;
  PyBehavior* behavior = make_native(*body, parent, &result);
  if (!behavior) return nullptr;
  if (Payload* other = install_done(state, behavior)) {
    cancel_unscheduled(*behavior);
    Py_DECREF(result);
    return wrap_payload(other);
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
  PyObject* raised = take_exception();  // an error may be passing through
  let_go_state(self->state);
  PyErr_Clear();
  Py_CLEAR(self->token);
  raise_exception(raised);
  type->tp_free(o);
  Py_DECREF(type);
}

int scope_traverse(PyObject* o, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(o));
  Py_VISIT(scope_of(o)->token);
  return 0;
}

int scope_clear(PyObject* o) {
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
     "cancel()\n--\n\nDrop what has not begun: its results fail with CancelledError. What runs goes on; where it "
     "waits in receive(), that raises CancelledError."},
    {"when", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(scope_when)), METH_FASTCALL,
     "when(*cowns)\n--\n\nAs bocpy.when, for this scope: from any thread."},
    {"whencall", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(scope_whencall)), METH_FASTCALL | METH_KEYWORDS,
     "whencall(func, args, captures=())\n--\n\nAs bocpy.whencall, for this scope: from any thread."},
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

int add_scope_type(PyObject* module) {
  PyTypeObject* type = make_scope_variable() < 0 ? nullptr : make_type(module, &scope_spec, nullptr);
  return type ? PyModule_AddObjectRef(module, "scope", reinterpret_cast<PyObject*>(type)) : -1;
}

}  // namespace boc::py
