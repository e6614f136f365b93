#include "thread_backend.h"

#include <new>

#include "copy.h"
#include "error_record.h"
#include "immutable.h"
#include "py_errors.h"
#include "site.h"

namespace boc::py {

uint32_t generation = 0;

namespace {

// Each worker thread keeps one thread state for its life, attached between behaviors.
struct Attached {
  PyGILState_STATE gil;
  PyThreadState* parked = nullptr;
};

}  // namespace

void ThreadBackend::drop_dead(Context& here) noexcept {
  while (Cown* dead = here.dead) {
    here.dead = dead->next_dead;
    drop(dead);
  }
}

void ThreadBackend::worker_started(Worker& worker) {
  auto* attached = new Attached;
  attached->gil = PyGILState_Ensure();
  worker.backend_data = attached;
  Context& here = context();
  here.worker = &worker;
  here.shard = worker.index() + 1;
  register_context(here);
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

void ThreadBackend::breathe(Worker&) noexcept {
#ifndef Py_GIL_DISABLED
  // Bodies that never run bytecode would keep the lock for ever. Only bytecode gives it to a thread that asks
  // for it: letting go and taking it again at once just wakes that thread up, for nothing and before it has
  // asked.
  Py_XDECREF(PyObject_CallNoArgs(breath_));
  PyErr_Clear();
#endif
}

void ThreadBackend::clear(PyBehavior& b) noexcept {
  for (uint32_t i = 1; i <= b.nargs; ++i) Py_CLEAR(b.args[i]);
  Py_CLEAR(b.target);
  Py_CLEAR(b.kwnames);
}

void ThreadBackend::fail(PyBehavior& b, PyObject* error) noexcept {
  Payload& result = *b.result;
  PyObject* old = result.value;
  result.value = error;
  result.failed.store(true, relaxed);
  result.origin = describe_site(b.code);
  try {
    failures_.add(result);
  } catch (const std::bad_alloc&) {
    result.looked.store(true, relaxed);  // no memory to remember it: it can still be looked at
  }
  if (on_failure && b.scope) on_failure(*b.scope, result);
  Py_DECREF(old);
}

void ThreadBackend::cancel(PyBehavior& b) noexcept {
  // Not a failure to report: whoever cancelled knows.
  b.result->failed.store(true, relaxed);
  b.result->looked.store(true, relaxed);
  b.result->cancelled.store(true, relaxed);
}

void ThreadBackend::store(PyBehavior& b, PyObject* value) noexcept {
  if (value && !goes_as_is(value) && is_payload_of_another(b, value, b.result)) {
    PyObject* copy = copy_value(value);
    Py_DECREF(value);
    value = copy;
  }
  if (value) {
    PyObject* old = b.result->value;
    b.result->value = value;
    Py_DECREF(old);
    return;
  }
  PyObject* error = take_exception();
  detach_traceback(error);
  fail(b, error);
}

void ThreadBackend::call(Context& here, PyBehavior& b) noexcept {
  here.current = &b;
  here.scope = b.scope;
  here.running.store(b.info, relaxed);
  const uint32_t process = generation;
  PyObject* value = PyObject_Vectorcall(b.target, b.args + 1, b.positional | PY_VECTORCALL_ARGUMENTS_OFFSET, b.kwnames);
  if (process != generation) end_forked_child(value);
  store(b, value);
  clear(b);  // may run destructors, which still belong to this behavior
  if (here.batch || !here.scopes.empty()) on_left_open(here);
  here.running.store(nullptr, relaxed);
  here.current = nullptr;
  here.scope = nullptr;
}

void ThreadBackend::run(Worker& worker, Behavior& behavior, bool cancelled) noexcept {
  (void)worker;
  auto& b = static_cast<PyBehavior&>(behavior);
  Context& here = context();
  drop_dead(here);
  for (Request& r : b.acquired()) static_cast<Payload*>(r.cown)->pending.fetch_sub(1, relaxed);
  if (cancelled) {
    cancel(b);
    clear(b);
  } else {
    call(here, b);
  }
  if (b.info) count_site(b.info, here.shard, -1);
  Py_CLEAR(b.code);
}

void ThreadBackend::retire(Behavior& behavior) noexcept {
  if (behavior.lane != Lane::WAITER) {
    auto& b = static_cast<PyBehavior&>(behavior);
    pool_free(&b, b.bytes);
    return;
  }
  auto& turn = static_cast<Turn&>(behavior);
  Context& here = context();
  for (Request& r : turn.acquired()) {
    if (!r.cown->unref()) continue;
    r.cown->next_dead = here.dead;  // dropped later: no user code in here
    here.dead = r.cown;
  }
  const uint32_t bytes = turn.bytes;
  turn.~Turn();
  pool_free(&turn, bytes);
}

void ThreadBackend::drop(Cown* cown) noexcept {
  auto* payload = static_cast<Payload*>(cown);
  // Cowns inside cowns, however deep: a loop instead of a recursion.
  Context& here = context();
  if (here.dropping) {
    payload->next_dead = here.undropped;
    here.undropped = payload;
    return;
  }
  here.dropping = true;
  while (payload) {
    if (payload->registered.load(acquire)) forget_live(*payload);
    failures_.drop(*payload);
    PyObject* raised = take_exception();
    Py_DECREF(payload->value);
    Py_XDECREF(payload->origin);
    PyErr_Clear();
    raise_exception(raised);
    delete payload;
    payload = static_cast<Payload*>(here.undropped);
    if (payload) here.undropped = payload->next_dead;
  }
  here.dropping = false;
}

bool ThreadBackend::drops_silently(const Cown& dead) noexcept {
  const auto& payload = static_cast<const Payload&>(dead);
  return is_atom_type(Py_TYPE(payload.value)) && !payload.failed.load(relaxed);
}

void* allocate_block(size_t bytes) noexcept {
  try {
    return pool_allocate(bytes);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

Payload* make_payload(PyObject* stolen) noexcept {
  void* block = allocate_block(sizeof(Payload));
  if (block) return new (block) Payload(stolen, generation);
  Py_DECREF(stolen);
  return nullptr;
}

bool is_payload_of_another(PyBehavior& b, PyObject* value, const Payload* except) noexcept {
  for (Request& r : b.acquired()) {
    auto* payload = static_cast<Payload*>(r.cown);
    if (payload->value == value && payload != except) return true;
  }
  return false;
}

PyObject* given_away(PyObject* value, const Payload* receiver) {
  PyBehavior* current = context().current;
  if (current && !goes_as_is(value) && is_payload_of_another(*current, value, receiver)) return copy_value(value);
  return Py_NewRef(value);
}

}  // namespace boc::py
