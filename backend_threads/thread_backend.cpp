#include "thread_backend.h"

#include <new>
#include <utility>

#include "copy.h"
#include "immutable.h"
#include "live_behavior.h"
#include "main_thread.h"
#include "site.h"
#include "watched.h"

namespace boc::py {
namespace {

struct LivePayload final : Payload, Pooled {
  using Payload::Payload;
};

// A copy that nobody but its readers' copies comes from.
class PostedObject final : public Posted {
 public:
  explicit PostedObject(PyObject* stolen) noexcept : value_(stolen) {}
  ~PostedObject() override { Py_XDECREF(value_); }
  PyObject* copy() const override { return copy_value(value_); }
  PyObject* take() override { return std::exchange(value_, nullptr); }

 private:
  PyObject* value_;
};

// Each worker thread keeps one thread state for its life, attached between behaviors.
struct Attached {
  PyGILState_STATE gil;
  PyThreadState* parked = nullptr;
};

LiveBehavior& live(PyBehavior& b) noexcept {
  return static_cast<LiveBehavior&>(b);
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
  merge_references(worker);
  static_cast<Attached*>(worker.backend_data)->parked = PyEval_SaveThread();
}

void ThreadBackend::after_park(Worker& worker) noexcept {
  PyEval_RestoreThread(static_cast<Attached*>(worker.backend_data)->parked);
}

void ThreadBackend::thread_started(Worker&) noexcept {
  home_of_thread = home_;
}

bool ThreadBackend::drops_silently(const Cown& dead) noexcept {
  const auto& payload = static_cast<const Payload&>(dead);
  return is_atom_type(Py_TYPE(payload.value)) && !payload.native && !payload.failed.load(relaxed);
}

PyBehavior* ThreadBackend::make(CallPlan& plan, const Parameters& p, PyObject* const* extras, Py_ssize_t n) {
  return make_live(plan, p, extras, n);
}

void ThreadBackend::clear_call(PyBehavior& behavior) noexcept {
  clear_live(live(behavior));
}

void ThreadBackend::let_go_call(PyBehavior& behavior) noexcept {
  let_go_live(live(behavior));
}

PyObject* ThreadBackend::invoke(PyBehavior& behavior) noexcept {
  return call_live(live(behavior));
}

Payload* ThreadBackend::make_payload(PyObject* stolen) {
  void* block = allocate_block(sizeof(LivePayload));
  if (!block) {
    Py_DECREF(stolen);
    return nullptr;
  }
  auto* payload = new (block) LivePayload(stolen, &home(), generation);
  tell_given(stolen, payload);
  return payload;
}

Payload* ThreadBackend::make_pinned(PyObject* stolen) {
  Payload* payload = make_payload(stolen);
  if (!payload) return nullptr;
  payload->pinned = true;
  tell_given(stolen, nullptr);  // the main thread may use it at any time, whoever holds the cown
  return payload;
}

PyObject* ThreadBackend::bring(Payload& payload, bool) {
  return Py_NewRef(payload.value);  // a thread of an interpreter that takes no part otherwise
}

int ThreadBackend::put(Payload& payload, PyObject* stolen, PyObject** old) {
  tell_given(stolen, payload.pinned ? nullptr : &payload);  // as in make_pinned()
  *old = payload.replace(stolen);
  if (*old != stolen) tell_given(*old, nullptr);
  return 0;
}

PyObject* ThreadBackend::peek(Payload& payload) {
  return payload.peek();
}

PyObject* ThreadBackend::copy_out(Payload& payload) {
  return payload.pinned ? Py_NewRef(payload.value) : copy_value(payload.value);
}

std::unique_ptr<Posted> ThreadBackend::post(PyObject* value) {
  PyObject* copied = copy_value(value);
  if (!copied) return nullptr;
  std::unique_ptr<Posted> made(new (std::nothrow) PostedObject(copied));
  if (!made) {
    Py_DECREF(copied);
    PyErr_NoMemory();
  }
  return made;
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

bool ThreadBackend::destroy(Payload& payload) noexcept {
  if (failures().drop(payload)) failures().report(payload.value, payload.origin);
  PyObject* value = payload.value;
  const bool pinned = payload.pinned;
  tell_given(value, nullptr);
  delete static_cast<LivePayload*>(&payload);
  if (pinned) {
    drop_on_main(value);
  } else {
    Py_DECREF(value);
  }
  return true;
}

void ThreadBackend::store_error(Payload& result, PyObject* stolen) noexcept {
  Py_DECREF(std::exchange(result.value, stolen));
}

}  // namespace boc::py
