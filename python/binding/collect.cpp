#include "collect.h"

#include "batch_type.h"
#include "runtime.h"
#include "scope_object.h"

namespace boc::py {
namespace {

PyObject* refuse(PyObject* argument) {
  PyErr_Format(PyExc_TypeError,
               "can only schedule over cowns or sequences of cowns (a list or tuple), or read() of such, not %.100s",
               Py_TYPE(argument)->tp_name);
  return nullptr;
}

// The result cown, born held by the behavior, which is then counted in its scope: it must go on its way. `chosen`: the
// scope is one that the caller named, which may end at any time. Null with an error, and the behavior is as before.
PyObject* make_result(PyBehavior* b, Scope* scope, bool chosen) {
  Payload* result = backend().make_payload(Py_NewRef(Py_None));
  PyObject* handle = result ? wrap_payload(result) : nullptr;
  if (!handle || runtime().before_start() < 0) {
    Py_XDECREF(handle);
    return nullptr;
  }
  // From here until the behavior is scheduled no Python code runs, not even a signal handler: what that
  // waited for would include this behavior. Counted first, then a look whether workers are there (H1).
  Scheduler::count_in(here(), *scope);
  if ((chosen && refuse_closed_scope(*scope) < 0) || (!here() && runtime().ensure_started() < 0)) {
    scope->give_back(1);
    Py_DECREF(handle);
    return nullptr;
  }
  b->scope = scope;
  b->result = result;
  hold_result(*b, result);
  return handle;
}

}  // namespace

PyObject* collect(PyObject* argument, size_t& requests) {
  if (is_cown_object(argument)) {
    ++requests;
    return Py_NewRef(argument);
  }
  PyObject* inner = inner_of(argument);
  if (inner != argument && is_cown_object(inner)) {
    ++requests;
    return Py_NewRef(argument);
  }
  if (!PyList_Check(inner) && !PyTuple_Check(inner)) return refuse(argument);
  Ref items(PySequence_Tuple(inner));  // as it is now; the caller's list may change
  if (!items) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.get()); ++i) {
    if (!is_cown_object(PyTuple_GET_ITEM(items.get(), i))) return refuse(PyTuple_GET_ITEM(items.get(), i));
  }
  requests += static_cast<size_t>(PyTuple_GET_SIZE(items.get()));
  if (inner == argument) return items.release();
  return PyObject_CallOneArg(reinterpret_cast<PyObject*>(home().read_type), items.get());
}

PyObject* schedule_call(const Parameters& p, PyObject* callable, PyObject* const* extras, Py_ssize_t n, Scope* scope) {
  if (runtime().refuse_closed() < 0) return nullptr;
  CallPlan plan;
  if (plan_call(callable, p.count, n, &plan) < 0) return nullptr;
  PyBehavior* b = backend().make(plan, p, extras, n);
  if (!b) return nullptr;
  runtime().close_window();
  prepare(*b);
  PyObject* result = scope ? make_result(b, scope, true) : make_result(b, current_scope(), false);
  if (!result) {
    backend().unmake(*b);
    return nullptr;
  }
  return send_off(*b, result);
}

PyObject* send_off(PyBehavior& b, PyObject* result) {
  backend().count(b, 1);
  Batch* batch = context().batch;
  if (!batch) {
    runtime().scheduler().schedule(here(), b);
  } else if (!add_to_batch(*batch, b)) {
    cancel_unscheduled(b);
    Py_DECREF(result);
    return PyErr_NoMemory();
  }
  return result;
}

PyBehavior* make_native(NativeBehavior& body, Scope* scope, PyObject** result_out) {
  prepare(body);
  *result_out = make_result(&body, scope, false);
  if (*result_out) return &body;
  backend().unmake(body);
  return nullptr;
}

void cancel_unscheduled(PyBehavior& b) noexcept {
  backend().count(b, -1);
  backend().cancel(b);
  backend().clear(b);
  backend().let_go(b);
  // Only the result is queued anywhere: its request is all that is released.
  b.requests += b.request_count;
  b.request_count = 0;
  runtime().scheduler().finish(here(), b);
}

}  // namespace boc::py
