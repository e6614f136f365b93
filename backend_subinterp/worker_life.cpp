// The life of a worker's interpreter: made by the worker's thread at its first start, kept over wait() and start(), ended
// by its thread at the end of the program.
#include <stdexcept>

#include "boc/scheduler.h"
#include "carry_bridge.h"
#include "fork_guard.h"
#include "interpreter.h"
#include "kept_recipes.h"
#include "keyword_names.h"
#include "main_service.h"
#include "py_errors.h"
#include "site.h"
#include "station.h"
#include "subinterp_backend.h"
#include "surroundings.h"
#include "xidata.h"

namespace boc::py {
namespace {

void enter_thread(Worker& worker, Home& home) {
  home_of_thread = &home;
  Context& here = context();
  here.worker = &worker;
  here.shard = worker.index() + 1;
  register_context(here);
}

// tracemalloc asks for the main interpreter's lock whenever CPython allocates, also while that holds its own locks to make a
// thread state of another interpreter: it waits for itself then. -1 with an error.
int refuse_tracing() {
  Ref module(PyImport_ImportModule("_tracemalloc"));
  Ref tracing(module ? PyObject_CallMethod(module.get(), "is_tracing", nullptr) : nullptr);
  if (!tracing) PyErr_Clear();  // a build without it
  if (!tracing || tracing.get() != Py_True) return 0;
  PyErr_SetString(
      PyExc_RuntimeError,
      "tracemalloc is tracing, and CPython would stop for ever as it makes an interpreter for a worker. Call "
      "tracemalloc.stop() first, or set BOCPY_BACKEND=threads");
  return -1;
}

// Ends the worker's interpreter; what is left in it is dropped.
void end_interpreter(Worker& worker) noexcept {
  WorkerData* data = worker_data(worker);
  Home& home = *data->home;
  home.station->end();
  xi_interpreter_ends();
  post_held_output();
  unregister_context(context());
  context().worker = nullptr;
  SubInterpreter::end(PyThreadState_Get());  // destructors may still call us, for this home
  home_of_thread = nullptr;
  home.interpreter = nullptr;  // its address may be used again
  delete data;
  worker.backend_data = nullptr;
}

}  // namespace

int SubinterpBackend::prepare_start() {
  if (!home().main()) return 0;  // a thread of a worker's: what was mirrored last will do
  if (refuse_tracing() < 0) return -1;
  std::vector<std::string> path;
  std::string snapshot;
  if (take_snapshot(path, snapshot) < 0) return -1;
  {
    std::lock_guard guard(snapshot_mutex_);
    path_.swap(path);
    snapshot_.swap(snapshot);
  }
  if (!guard_forks()) {
    PyErr_SetString(
        PyExc_RuntimeError,
        "this build of CPython keeps its interpreters where bocpy does not find them, so a fork could crash: "
        "set BOCPY_BACKEND=threads");
    return -1;
  }
  try {
    start_service(home().interpreter);
  } catch (const std::exception& failure) {
    PyErr_SetString(PyExc_RuntimeError, "the system refuses another thread");
    return -1;
  }
  return 0;
}

void SubinterpBackend::worker_started(Worker& worker) {
  std::string why;
  PyThreadState* state = SubInterpreter::create(why);
  if (!state) throw std::runtime_error("no interpreter can be made for a worker: " + why);
  Home* home = add_home(PyThreadState_GetInterpreter(state), worker.index() + 1);
  home->station = new Station(*home, &worker);
  worker.backend_data = new WorkerData{home, state, {}};
  enter_thread(worker, *home);
  std::unique_lock lock(snapshot_mutex_);
  const std::vector<std::string> path = path_;
  const std::string snapshot = snapshot_;
  lock.unlock();
  try {
    if (!begin_surroundings(*home, path, snapshot, why)) {
      throw std::runtime_error("a worker's interpreter cannot be set up: " + why);
    }
    initialize();
  } catch (...) {
    end_interpreter(worker);
    throw;
  }
}

int SubinterpBackend::set_initializer(PyObject* callable) {
  EncodedRef encoded;
  if (callable && !(encoded = EncodedRef(encode(callable)))) {
    raise_transfer_error(Ref(PyUnicode_FromString("the initializer")).get(), "Give a function of a module or script");
    return -1;
  }
  std::lock_guard guard(snapshot_mutex_);
  initializer_ = std::move(encoded);
  return 0;
}

void SubinterpBackend::initialize() {
  std::unique_lock lock(snapshot_mutex_);
  const EncodedRef encoded = initializer_;
  lock.unlock();
  if (!encoded) return;
  Ref callable(decode(*encoded));
  if (!callable) throw std::runtime_error("the initializer cannot be carried to a worker: " + take_error_text());
  call_initializer(callable.get());
}

void SubinterpBackend::worker_resumed(Worker& worker) {
  worker_data(worker)->stats.reset();
  std::string why;
  std::unique_lock lock(snapshot_mutex_);
  const std::string snapshot = snapshot_;
  lock.unlock();
  if (!resume_surroundings(snapshot, why)) {
    throw std::runtime_error("a worker's interpreter cannot be set up again: " + why);
  }
  initialize();
}

void SubinterpBackend::worker_stopping(Worker& worker) noexcept {
  drop_dead(context());
  worker_data(worker)->home->station->run_errands();
  drop_kept_recipes();
  drop_clones();
  worker_data(worker)->home->station->run_errands();
  pause_surroundings();
}

void SubinterpBackend::worker_ending(Worker& worker) noexcept {
  end_surroundings();
  drop_kept_recipes();
  drop_dead(context());
  end_interpreter(worker);
}

void SubinterpBackend::settle() noexcept {
  drop_kept_recipes();
}

void SubinterpBackend::close() noexcept {
  // What the ending interpreters have said, and what is said until nobody is left to say anything.
  for (int round = 0; round < 2; ++round) {
    if (deliver_to_main() < 0) PyErr_WriteUnraisable(nullptr);
    stop_service();
  }
  adopt_keyword_names();
  home().station->close_to_visitors();
}

void SubinterpBackend::before_fork() noexcept {
  boc::py::before_fork();
}

void SubinterpBackend::after_fork(bool in_child) noexcept {
  if (!in_child) return after_fork_in_parent();
  after_fork_in_child();
  service_after_fork();
  recipes_after_fork();
  forget_kept_recipes();
  home().station = new Station(home(), nullptr);  // a thread that is not here may hold the old one's locks
}

}  // namespace boc::py
