#include "py_backend.h"

#include <stdexcept>

#include "copy.h"
#include "encoded.h"
#include "error_record.h"
#include "immutable.h"
#include "native_value.h"
#include "py_errors.h"
#include "site.h"
#include "strand_state.h"
#include "thread_state.h"

namespace boc::py {

uint32_t generation = 0;
atomic<bool> pinned_cowns_exist{false};

namespace {

PyBackend* the_backend = nullptr;

PyObject* run_native(NativeBehavior& b) noexcept {
  PyObject* value = b.body(b.argument);
  if (!value && !PyErr_Occurred()) {
    PyErr_SetString(PyExc_SystemError, "the body of a native behavior returned NULL without an error");
  }
  return value;
}

}  // namespace

PyBackend& backend() noexcept {
  return *the_backend;
}

void set_backend(PyBackend& chosen) noexcept {
  the_backend = &chosen;
}

NativeBehavior* PyBackend::make_native(size_t requests) noexcept {
  auto* b = allocate_behavior<NativeBehavior>(0, requests);
  if (b) b->native = true;
  return b;
}

void PyBackend::clear(PyBehavior& b) noexcept {
  if (!b.native) return clear_call(b);
  auto& body = static_cast<NativeBehavior&>(b);
  if (body.argument) body.let_go(std::exchange(body.argument, nullptr));
  if (!std::exchange(body.keeps, false)) return;
  for (Request& r : b.acquired()) let_go_payload(static_cast<Payload*>(r.cown));
}

void PyBackend::unmake(PyBehavior& b) noexcept {
  clear(b);
  let_go(b);
  pool_free(&b, b.bytes);
}

void PyBackend::count(PyBehavior& b, int change) noexcept {
  for (Request& r : b.acquired()) {
    static_cast<Payload*>(r.cown)->pending.fetch_add(static_cast<uint32_t>(change), relaxed);
  }
  count_site(b.site, context().shard, change);
}

void PyBackend::cancel(PyBehavior& b) noexcept {
  // Not a failure to report: whoever cancelled knows.
  b.result->failed.store(true, relaxed);
  b.result->looked.store(true, relaxed);
  b.result->cancelled.store(true, relaxed);
}

void PyBackend::drop_dead(Context& here) noexcept {
  while (Cown* dead = here.dead) {
    here.dead = dead->next_dead;
    drop(dead);
  }
}

// Who drops the last reference to an object of another thread leaves the rest to the first thread state of that thread: the
// root's, which looks when it runs Python code, and so not while its behavior waits. It does here.
void PyBackend::merge_references([[maybe_unused]] Worker& worker) noexcept {
#ifdef Py_GIL_DISABLED
  Strands& strands = worker.strands();
  if (&strands.current() == &strands.root() || !strands.current().is_fiber()) return;
  PyThreadState* mine = PyThreadState_Swap(static_cast<StrandState&>(*strands.root().data).state);
  Py_XDECREF(PyObject_CallNoArgs(home().breath));
  PyErr_Clear();
  PyThreadState_Swap(mine);
#endif
}

void PyBackend::breathe(Worker& worker) noexcept {
  merge_references(worker);
#ifndef Py_GIL_DISABLED
  // Bodies that never run bytecode would keep the lock for ever. Only bytecode gives it to a thread that asks
  // for it: letting go and taking it again at once just wakes that thread up, for nothing and before it has
  // asked.
  Py_XDECREF(PyObject_CallNoArgs(home().breath));
  PyErr_Clear();
#endif
}

namespace {

// A pinned behavior has failed: whoever pumps is told. True: the error will rise there, so somebody sees it.
bool tell_pump(Context& here, PyObject* error) noexcept {
  Py_XSETREF(here.raised, Py_NewRef(error));
  return here.raises_all || !PyErr_GivenExceptionMatches(error, PyExc_Exception);
}

// Ended by the CancelledError of a wait that was given up. Not a failure to report: whoever cancelled knows.
bool was_cancelled(const PyBehavior& b, PyObject* error) noexcept {
  if (!b.gave_up) return false;
  Ref type(module_attribute("bocpy._errors", "CancelledError"));
  if (!type) PyErr_Clear();
  return type && PyErr_GivenExceptionMatches(error, type.get());
}

}  // namespace

void PyBackend::fail(PyBehavior& b, PyObject* error) noexcept {
  Payload& result = *b.result;
  const bool cancelled = was_cancelled(b, error);
  const bool rises = b.lane == Lane::MAIN && tell_pump(context(), error);
  store_error(result, error);
  result.failed.store(true, relaxed);
  keep_site(b.site);
  result.origin = b.site;
  if (rises || cancelled) {
    result.looked.store(true, relaxed);
  } else {
    try {
      failures_.add(result);
    } catch (const std::bad_alloc&) {
      result.looked.store(true, relaxed);  // no memory to remember it: it can still be looked at
    }
  }
  if (on_failure && b.scope && !cancelled) on_failure(*b.scope, result);
}

void PyBackend::store(PyBehavior& b, PyObject* value) noexcept {
  if (value && !goes_as_is(value) && is_payload_of_another(b, value, b.result, true)) {
    PyObject* copy = copy_value(value);
    Py_DECREF(value);
    value = copy;
  }
  PyObject* old = nullptr;
  if (value && put(*b.result, value, &old) == 0) {
    Py_XDECREF(old);
    return;
  }
  PyObject* error = take_exception();
  detach_traceback(error);
  fail(b, error);
}

void PyBackend::call(Context& here, PyBehavior& b) noexcept {
  here.current = &b;
  here.base = __builtin_frame_address(0);
  here.scope = b.scope;
  here.running.store(b.site, relaxed);
  const uint32_t process = generation;
  PyObject* value = b.native ? run_native(static_cast<NativeBehavior&>(b)) : invoke(b);
  if (process != generation) end_forked_child(value);
  store(b, value);
  clear(b);  // may run destructors, which still belong to this behavior
  Py_CLEAR(here.notices);
  if (here.batch || !here.scopes.empty()) on_left_open(here);
  leave(b);
  here.running.store(nullptr, relaxed);
  here.current = nullptr;
  here.scope = nullptr;
  Py_CLEAR(here.notices);  // of what destructors have looked at
}

void PyBackend::run(Worker&, Behavior& behavior, bool cancelled) noexcept {
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
  count_site(b.site, here.shard, -1);
  let_go(b);
}

void PyBackend::retire(Behavior& behavior) noexcept {
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

PyObject* PyBackend::value_to_change(Payload& payload) {
  return value_of(payload, true);
}

void PyBackend::drop(Cown* cown) noexcept {
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
    Site* origin = payload->origin;
    PyObject* raised = take_exception();
    if (payload->native && payload->generation == generation) drop_native_value(*payload);
    const bool gone = destroy(*payload);
    PyErr_Clear();
    raise_exception(raised);
    if (gone) let_go_site(origin);
    payload = static_cast<Payload*>(here.undropped);
    if (payload) here.undropped = payload->next_dead;
  }
  here.dropping = false;
}

size_t PyBackend::fiber_stack() const noexcept {
  return fiber_stack_bytes();
}

bool PyBackend::make_strand(Worker& worker, Strand& strand) noexcept {
  return make_strand_state(worker, strand);
}

void PyBackend::leave_strand(Worker&, Strand& strand) noexcept {
  before_wait();
  leave_strand_state(strand);
}

void PyBackend::enter_strand(Worker&, Strand& strand) noexcept {
  enter_strand_state(strand);
}

void PyBackend::end_strand(Worker& worker, Strand& strand) noexcept {
  drop_dead(context());
  end_strand_state(worker, strand);
}

void PyBackend::call_initializer(PyObject* callable) {
  Ref done(PyObject_CallNoArgs(callable));
  if (done) return;
  throw std::runtime_error("the initializer failed in a worker: " + take_error_text());
}

void* allocate_block(size_t bytes) noexcept {
  try {
    return pool_allocate(bytes);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

int check_generation(const Payload* payload) {
  if (payload->generation == generation) return 0;
  PyErr_SetString(PyExc_RuntimeError,
                  "this cown belongs to the process that this one was forked from. Make new cowns in the child, or "
                  "read the value before the fork");
  return -1;
}

PyObject* wrap_payload(Payload* stolen) {
  PyTypeObject* type = stolen->pinned ? home().pinned_type : home().cown_type;
  PyObject* self = type->tp_alloc(type, 0);
  if (self) {
    reinterpret_cast<CownObject*>(self)->payload = stolen;
  } else if (stolen->unref()) {
    backend().drop(stolen);
  }
  return self;
}

int add_request(PyBehavior& b, Payload* payload, uint32_t flags) {
  if (check_generation(payload) < 0) return -1;
  Batch* batch = payload->batch.load(relaxed);
  if (batch && batch != context().batch) {
    PyErr_SetString(PyExc_RuntimeError,
                    "this cown is the result of a behavior in a batch of another thread that is still open: it can be "
                    "scheduled on when that `with batch()` block has ended");
    return -1;
  }
  if (payload->pinned) b.lane = Lane::MAIN;
  new (b.requests + b.request_count++) Request(payload, &b, flags);
  return 0;
}

bool is_payload_of_another(PyBehavior& b, PyObject* value, const Payload* except, bool pinned_too) noexcept {
  for (Request& r : b.acquired()) {
    auto* payload = static_cast<Payload*>(r.cown);
    if (payload == except || (payload->pinned && !pinned_too)) continue;
    if (backend().owns(*payload, value)) return true;
  }
  return false;
}

PyObject* given_away(PyObject* value, const Payload* receiver, bool pinned) {
  PyBehavior* current = context().current;
  // Pinned cowns may share an object: whatever uses it runs on the main thread.
  const bool copied = current && !goes_as_is(value) && is_payload_of_another(*current, value, receiver, !pinned);
  return copied ? copy_value(value) : Py_NewRef(value);
}

}  // namespace boc::py
