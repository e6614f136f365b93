#include "thread_backend.h"

#include <new>

#include "copy.h"
#include "immutable.h"
#include "live_behavior.h"
#include "site.h"

namespace boc::py {
namespace {

struct LivePayload final : Payload, Pooled {
  using Payload::Payload;
};

// Each worker thread keeps one thread state for its life, attached between behaviors.
struct Attached {
  PyGILState_STATE gil;
  PyThreadState* parked = nullptr;
};

LiveBehavior& live(PyBehavior& b) noexcept {
  return static_cast<LiveBehavior&>(b);
}

// The behavior's parameter for one item, and its requests.
PyObject* open_item(LiveBehavior& b, PyObject* item) {
  PyObject* inner = inner_of(item);
  if (is_cown_object(inner)) {
    PyObject* given = nullptr;
    return add_item(b, item, [&](PyObject* cown) { given = Py_NewRef(cown); }) < 0 ? nullptr : given;
  }
  Ref list(PySequence_List(inner));  // each behavior gets a list of its own
  if (!list || add_item(b, item, [](PyObject*) {}) < 0) return nullptr;
  return list.release();
}

int fill(LiveBehavior& b, CallPlan& plan, const Parameters& p, PyObject* const* extras, Py_ssize_t n) {
  PyObject** cowns = b.args + 1 + (plan.self ? 1 : 0);
  PyObject* self = nullptr;
  if (take_captures(&plan, extras, n, &b.target, &self, cowns + p.count, cowns + p.count + n) < 0) return -1;
  if (plan.self) b.args[1] = self;
  for (Py_ssize_t i = 0; i < p.count; ++i) {
    if (!(cowns[i] = open_item(b, p.items[i]))) return -1;
  }
  b.kwnames = Py_XNewRef(plan.kwnames);
  b.positional = b.nargs - (plan.kwnames ? static_cast<uint32_t>(PyTuple_GET_SIZE(plan.kwnames)) : 0);
  if (plan.info) {
    b.code = Py_NewRef(PyFunction_GET_CODE(plan.function));
    b.site = site_of(plan.info, b.code);
  }
  return 0;
}

}  // namespace

void ThreadBackend::worker_started(Worker& worker) {
  auto* attached = new Attached;
  attached->gil = PyGILState_Ensure();
  worker.backend_data = attached;
  Context& here = context();
  here.worker = &worker;
  here.shard = worker.index() + 1;
  register_context(here);
  if (!initializer_) return;
  try {
    call_initializer(initializer_);
  } catch (...) {
    worker_stopping(worker);
    throw;
  }
}

int ThreadBackend::set_initializer(PyObject* callable) {
  Py_XDECREF(std::exchange(initializer_, Py_XNewRef(callable)));
  return 0;
}

void ThreadBackend::worker_stopping(Worker& worker) noexcept {
  auto* attached = static_cast<Attached*>(worker.backend_data);
  drop_dead(context());
  unregister_context(context());
  PyGILState_Release(attached->gil);
  delete attached;
  worker.backend_data = nullptr;
}

void ThreadBackend::before_park(Worker& worker) noexcept {
  static_cast<Attached*>(worker.backend_data)->parked = PyEval_SaveThread();
}

void ThreadBackend::after_park(Worker& worker) noexcept {
  PyEval_RestoreThread(static_cast<Attached*>(worker.backend_data)->parked);
}

bool ThreadBackend::drops_silently(const Cown& dead) noexcept {
  const auto& payload = static_cast<const Payload&>(dead);
  return is_atom_type(Py_TYPE(payload.value)) && !payload.failed.load(relaxed);
}

PyBehavior* ThreadBackend::make(CallPlan& plan, const Parameters& p, PyObject* const* extras, Py_ssize_t n) {
  const auto nargs = static_cast<size_t>((plan.self ? 1 : 0) + p.count + n + plan.captures);
  // args[0] and the first of the others: args[1] is part of the struct.
  auto* b = allocate_behavior<LiveBehavior>(nargs * sizeof(PyObject*), p.requests);
  if (!b) return nullptr;
  b->nargs = static_cast<uint32_t>(nargs);
  for (size_t i = 0; i <= nargs; ++i) b->args[i] = nullptr;
  if (fill(*b, plan, p, extras, n) == 0) return b;
  PyObject* raised = take_exception();
  unmake(*b);
  raise_exception(raised);
  return nullptr;
}

void ThreadBackend::clear_call(PyBehavior& behavior) noexcept {
  LiveBehavior& b = live(behavior);
  for (uint32_t i = 1; i <= b.nargs; ++i) Py_CLEAR(b.args[i]);
  Py_CLEAR(b.target);
  Py_CLEAR(b.kwnames);
}

void ThreadBackend::let_go_call(PyBehavior& behavior) noexcept {
  Py_CLEAR(live(behavior).code);
}

PyObject* ThreadBackend::invoke(PyBehavior& behavior) noexcept {
  LiveBehavior& b = live(behavior);
  return PyObject_Vectorcall(b.target, b.args + 1, b.positional | PY_VECTORCALL_ARGUMENTS_OFFSET, b.kwnames);
}

Payload* ThreadBackend::make_payload(PyObject* stolen) {
  void* block = allocate_block(sizeof(LivePayload));
  if (block) return new (block) LivePayload(stolen, &home(), generation);
  Py_DECREF(stolen);
  return nullptr;
}

PyObject* ThreadBackend::bring(Payload& payload, bool) {
  return Py_NewRef(payload.value);  // a thread of an interpreter that takes no part otherwise
}

int ThreadBackend::put(Payload& payload, PyObject* stolen, PyObject** old) {
  *old = payload.replace(stolen);
  return 0;
}

PyObject* ThreadBackend::peek(Payload& payload) {
  return payload.peek();
}

PyObject* ThreadBackend::copy_out(Payload& payload) {
  return copy_value(payload.value);
}

bool ThreadBackend::owns(Payload& payload, PyObject* value) noexcept {
  return payload.value == value;
}

void ThreadBackend::name_cancelled(Payload& payload, PyObject* error, Mutex& lock) noexcept {
  PyObject* left = error;
  {
    std::lock_guard guard(lock);
    if (payload.cancelled.load(relaxed)) {
      left = std::exchange(payload.value, error);
      payload.cancelled.store(false, release);  // partner: the acquire in Failures::look()
    }
  }
  Py_DECREF(left);
}

void ThreadBackend::destroy(Payload& payload) noexcept {
  if (failures().drop(payload)) failures().report(payload.value, payload.origin);
  Py_DECREF(payload.value);
  delete static_cast<LivePayload*>(&payload);
}

void ThreadBackend::store_error(Payload& result, PyObject* stolen) noexcept {
  Py_DECREF(std::exchange(result.value, stolen));
}

}  // namespace boc::py
