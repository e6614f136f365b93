#include "window.h"

#include <vector>

#include "runtime.h"
#include "window_list.h"

namespace boc::py {
Turn* take_in_window(Payload& payload, double patience, const char* what) {
  Context& here = context();
  // Who holds something, or carries a value for somebody, must not let others wait for him.
  const bool waits = here.held.empty() && !here.carrying;
  Turn* turn = waits ? take_turn({&payload, false}, patience, what) : try_turn({&payload, false});
  if (turn) {
    if (runtime().open_access()) return turn;
    finish_turn(*turn);
  } else if (PyErr_Occurred()) {
    return nullptr;
  }
  PyErr_SetString(PyExc_RuntimeError,
                  "another thread or a behavior holds the cown: take a turn with `with cown:`, or schedule a behavior "
                  "on it");
  return nullptr;
}

void finish_in_window(Payload& payload, Turn& turn) noexcept {
  if (backend().has_homes() && !payload.pinned && payload.resident_here()) list_in_window(payload);
  finish_turn(turn);
}

PyObject* look_in_window(Payload& payload) {
  // Others that look may be making the value from bytes, which may take a while, but not for ever.
  constexpr double PATIENCE = 10.0;
  if (PyObject* value = backend().peek(payload)) return value;
  if (PyErr_Occurred()) return nullptr;
  Turn* turn = take_in_window(payload, PATIENCE, "a look at its value");
  if (!turn) return nullptr;
  PyObject* value;
  {
    Carrying carrying;
    value = backend().value_to_change(payload);
  }
  finish_in_window(payload, *turn);
  return value;
}

void settle_window() noexcept {
  const std::vector<Payload*> cowns = take_listed_in_window();
  PyObject* raised = take_exception();
  for (Payload* payload : cowns) {
    if (Turn* turn = try_turn({payload, false})) {
      backend().end_hold(*payload);
      finish_turn(*turn);
    }
    // A Ctrl-C comes again, where it can be raised.
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) PyErr_SetInterrupt();
    PyErr_Clear();
    if (payload->unref()) backend().drop(payload);
  }
  raise_exception(raised);
}

}  // namespace boc::py
