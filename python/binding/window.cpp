#include "window.h"

#include <new>
#include <utility>
#include <vector>

#include "runtime.h"

namespace boc::py {
namespace {

struct Listed {
  std::mutex mutex;
  std::vector<Payload*> cowns;  // references
};

Listed* listed = new Listed;  // never destroyed: threads may still look after static destruction

void list(Payload& payload) noexcept {
  std::lock_guard guard(listed->mutex);
  if (payload.in_window) return;
  try {
    listed->cowns.push_back(&payload);
  } catch (const std::bad_alloc&) {
    return;  // workers fetch it
  }
  payload.in_window = true;
  payload.ref();
}

}  // namespace

Turn* take_in_window(Payload* payload, const char* what) {
  constexpr double PATIENCE = 1.0;  // seconds: others in the window have it for an instant
  if (Turn* turn = take_turn({payload, false}, PATIENCE, what)) {
    if (runtime().open_access()) return turn;
    runtime().scheduler().finish(nullptr, *turn);
  } else if (!PyErr_ExceptionMatches(PyExc_TimeoutError)) {
    return nullptr;
  }
  PyErr_SetString(PyExc_RuntimeError,
                  "another thread or a behavior holds the cown: take a turn with `with cown:`, or schedule a behavior "
                  "on it");
  return nullptr;
}

PyObject* look_in_window(Payload& payload) {
  if (PyObject* value = backend().peek(payload)) return value;
  if (PyErr_Occurred()) return nullptr;
  Turn* turn = take_in_window(&payload, "a look at its value");
  if (!turn) return nullptr;
  PyObject* value = value_of(payload, true);
  PyObject* raised = value ? nullptr : take_exception();
  if (payload.resident_here()) list(payload);
  runtime().scheduler().finish(nullptr, *turn);
  if (raised) raise_exception(raised);
  return value;
}

void settle_window() noexcept {
  std::vector<Payload*> cowns;
  {
    std::lock_guard guard(listed->mutex);
    cowns.swap(listed->cowns);
    for (Payload* payload : cowns) payload->in_window = false;
  }
  PyObject* raised = take_exception();
  for (Payload* payload : cowns) {
    if (Turn* turn = try_turn({payload, false})) {
      backend().end_hold(*payload);
      runtime().scheduler().finish(nullptr, *turn);
    }
    PyErr_Clear();
    if (payload->unref()) backend().drop(payload);
  }
  raise_exception(raised);
}

void window_after_fork() noexcept {
  listed = new Listed;
}

}  // namespace boc::py
