// The end of the program, with behaviors that wait for messages that nobody will send.
#include "runtime.h"
#include "waiting_behaviors.h"

namespace boc::py {

bool Runtime::stuck() {
  const std::optional<uint64_t> waits = endless_waits();
  if (!waits || !scheduler_.quiet()) return false;
  // What is pinned can run, unless the main thread is in the middle of a behavior that waits.
  return (pump_.running() || !pump_.waiting()) && waits == endless_waits();
}

bool Runtime::give_up_if_stuck() {
  if (!gives_up_.load(relaxed) || !stuck()) return false;
  give_up_waiting();
  return true;
}

PyObject* finish_program(PyObject*, PyObject* alone) {
  constexpr const char* WHAT = "the end of the program";
  if (refuse_in_behavior(WHAT) < 0 || refuse_in_batch(WHAT) < 0) return nullptr;
  if (!runtime().scheduler().root().idle() && runtime().resume() < 0) return nullptr;
  runtime().set_gives_up(alone == Py_True);
  int idle;
  do {
    idle = wait_idle(runtime().scheduler().root(), FOREVER, WHAT, [] { return runtime().stuck(); });
  } while (idle == 0 && (runtime().give_up_if_stuck() || alone == Py_True));
  return idle < 0 ? nullptr : PyBool_FromLong(idle);
}

}  // namespace boc::py
