#include "collect.h"

#include "batch_type.h"
#include "read_type.h"
#include "runtime.h"
#include "scope_object.h"
#include "site.h"

namespace boc::py {
namespace {

PyObject* refuse(PyObject* argument) {
  PyErr_Format(PyExc_TypeError,
               "can only schedule over cowns or sequences of cowns (a list or tuple), or read() of such, not %.100s",
               Py_TYPE(argument)->tp_name);
  return nullptr;
}

PyObject* inner_of(PyObject* item) noexcept {
  return Py_IS_TYPE(item, read_type) ? reinterpret_cast<ReadObject*>(item)->inner : item;
}

// One block for the behavior, its arguments, its requests and the result's.
PyBehavior* allocate(size_t nargs, size_t requests) {
  size_t at_requests = sizeof(PyBehavior) + nargs * sizeof(PyObject*);  // args[1] is part of the struct
  at_requests = (at_requests + alignof(Request) - 1) / alignof(Request) * alignof(Request);
  const size_t bytes = at_requests + (requests + 1) * sizeof(Request);
  void* block = allocate_block(bytes);
  if (!block) return nullptr;
  auto* b = new (block) PyBehavior;
  b->bytes = static_cast<uint32_t>(bytes);
  b->nargs = static_cast<uint32_t>(nargs);
  b->requests = reinterpret_cast<Request*>(static_cast<char*>(block) + at_requests);
  for (size_t i = 0; i <= nargs; ++i) b->args[i] = nullptr;
  return b;
}

void unmake(PyBehavior* b) noexcept {
  ThreadBackend::clear(*b);
  Py_CLEAR(b->code);
  pool_free(b, b->bytes);
}

int add_request(PyBehavior* b, PyObject* cown, uint32_t flags) {
  Payload* payload = payload_of(cown);
  if (check_generation(payload) < 0) return -1;
  Batch* batch = payload->batch.load(relaxed);
  if (batch && batch != context().batch) {
    PyErr_SetString(PyExc_RuntimeError,
                    "this cown is the result of a behavior in a batch of another thread that is still open: it can be "
                    "scheduled on when that `with batch()` block has ended");
    return -1;
  }
  new (b->requests + b->request_count++) Request(payload, b, flags);
  return 0;
}

// The behavior's parameter for one item, and its requests.
PyObject* open_item(PyBehavior* b, PyObject* item) {
  const uint32_t flags = Py_IS_TYPE(item, read_type) ? uint32_t{Request::READ} : 0;
  PyObject* inner = inner_of(item);
  if (is_cown_object(inner)) return add_request(b, inner, flags) < 0 ? nullptr : Py_NewRef(inner);
  PyObject* list = PySequence_List(inner);  // each behavior gets a list of its own
  if (!list) return nullptr;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    if (add_request(b, PyList_GET_ITEM(list, i), flags) < 0) {
      Py_DECREF(list);
      return nullptr;
    }
  }
  return list;
}

int capture(PyBehavior* b, CallPlan& plan, const Parameters& p, PyObject* const* extras, Py_ssize_t n) {
  PyObject** cowns = b->args + 1 + (plan.self ? 1 : 0);
  PyObject* self = nullptr;
  if (take_captures(&plan, extras, n, &b->target, &self, cowns + p.count, cowns + p.count + n) < 0) return -1;
  if (plan.self) b->args[1] = self;
  for (Py_ssize_t i = 0; i < p.count; ++i) {
    if (!(cowns[i] = open_item(b, p.items[i]))) return -1;
  }
  b->kwnames = Py_XNewRef(plan.kwnames);
  b->positional = b->nargs - (plan.kwnames ? static_cast<uint32_t>(PyTuple_GET_SIZE(plan.kwnames)) : 0);
  b->info = plan.info;
  if (plan.info) {
    b->code = Py_NewRef(PyFunction_GET_CODE(plan.function));
    enter_site(plan.info, b->code);
  }
  return 0;
}

// The result cown, born held by the behavior, which is then counted in its scope: it must go on its way. `chosen`: the
// scope is one that the caller named, which may end at any time. Null with an error, and the behavior is as before.
PyObject* make_result(PyBehavior* b, Scope* scope, bool chosen) {
  Payload* result = make_payload(Py_NewRef(Py_None));
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

void count(PyBehavior* b) noexcept {
  for (Request& r : b->acquired()) static_cast<Payload*>(r.cown)->pending.fetch_add(1, relaxed);
  if (b->info) count_site(b->info, context().shard, 1);
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
  return PyObject_CallOneArg(reinterpret_cast<PyObject*>(read_type), items.get());
}

PyObject* schedule_call(const Parameters& p, PyObject* callable, PyObject* const* extras, Py_ssize_t n, Scope* scope) {
  if (runtime().refuse_closed() < 0) return nullptr;
  CallPlan plan;
  if (plan_call(callable, p.count, n, &plan) < 0) return nullptr;
  const auto nargs = static_cast<size_t>((plan.self ? 1 : 0) + p.count + n + plan.captures);
  PyBehavior* b = allocate(nargs, p.requests);
  if (!b) return nullptr;
  if (capture(b, plan, p, extras, n) < 0) {
    unmake(b);
    return nullptr;
  }
  prepare(*b);
  runtime().set_open_access(false);
  PyObject* result = scope ? make_result(b, scope, true) : make_result(b, current_scope(), false);
  if (!result) {
    unmake(b);
    return nullptr;
  }
  count(b);
  Batch* batch = context().batch;
  if (!batch) {
    runtime().scheduler().schedule(here(), *b);
  } else if (!add_to_batch(*batch, *b)) {
    cancel_unscheduled(*b);
    Py_DECREF(result);
    return PyErr_NoMemory();
  }
  return result;
}

PyBehavior* make_plain(PyObject* target, Scope* scope, PyObject** result_out) {
  PyBehavior* b = allocate(0, 0);
  if (!b) {
    Py_DECREF(target);
    return nullptr;
  }
  b->target = target;
  prepare(*b);
  *result_out = make_result(b, scope, false);
  if (*result_out) return b;
  unmake(b);
  return nullptr;
}

void cancel_unscheduled(PyBehavior& b) noexcept {
  for (Request& r : b.acquired()) static_cast<Payload*>(r.cown)->pending.fetch_sub(1, relaxed);
  if (b.info) count_site(b.info, context().shard, -1);
  ThreadBackend::cancel(b);
  ThreadBackend::clear(b);
  Py_CLEAR(b.code);
  // Only the result is queued anywhere: its request is all that is released.
  b.requests += b.request_count;
  b.request_count = 0;
  runtime().scheduler().finish(here(), b);
}

}  // namespace boc::py
