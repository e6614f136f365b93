#include "runtime.h"

#include <cmath>
#include <new>
#include <string>
#include <system_error>

#include "backend_choice.h"
#include "code_info.h"
#include "left_behind.h"
#include "main_thread.h"
#include "messages.h"
#include "notice_functions.h"
#include "py_errors.h"
#include "scope_object.h"
#include "site.h"
#include "waiting_behaviors.h"
#include "window.h"
#include "window_list.h"

namespace boc::py {
namespace {

Runtime* the_runtime = nullptr;

}  // namespace

Detached::~Detached() noexcept(false) {
  if (the_runtime->closed() && !(home_of_thread && !home_of_thread->main()) && !on_main_thread()) {
    // A daemon thread while the main interpreter ends: attaching would end the thread in the middle of this frame.
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
  PyEval_RestoreThread(state_);
}

Runtime& runtime() noexcept {
  return *the_runtime;
}

namespace {

void make_runtime(bool sub_interpreters) {
  PyBackend& chosen = make_backend(sub_interpreters);
  chosen.on_failure = collect_failure;
  chosen.on_left_open = end_open;
  set_backend(chosen);
  the_runtime = new Runtime(chosen);
}

// _choose(sub_interpreters, ident of the main thread): once, at import, before anything else.
PyObject* py_choose(PyObject*, PyObject* args) {
  int sub_interpreters;
  unsigned long main_thread;
  if (!PyArg_ParseTuple(args, "pk", &sub_interpreters, &main_thread)) return nullptr;
  set_main_thread(main_thread);
  make_runtime(sub_interpreters != 0);
  Py_RETURN_NONE;
}

int raise_closed() {
  PyErr_SetString(PyExc_RuntimeError,
                  "the interpreter is shutting down: behaviors can no longer be scheduled; schedule them before the "
                  "program's last exit handler has run");
  return -1;
}

}  // namespace

void Runtime::begin_end() noexcept {
  ending_thread_.store(PyThread_get_thread_ident(), relaxed);
}

int Runtime::refuse_ending() {
  if (closed()) return raise_closed();
  return here() || PyThread_get_thread_ident() == ending_thread_.load(relaxed) ? 0 : raise_closed();
}

int Runtime::before_start() {
  if (scheduler_.running() || here()) return 0;
#ifdef Py_GIL_DISABLED
  Ref warn(module_attribute("bocpy._config", "warn_if_gil_came_back"));
  Ref warned(warn ? PyObject_CallNoArgs(warn.get()) : nullptr);
  if (!warned) return -1;
#endif
  return backend_.prepare_start();
}

int Runtime::start(unsigned workers) {
  if (refuse_closed() < 0) return -1;
  std::string failure;
  {
    Detached detached;
    const auto guard = enter_lifecycle();
    if (guard && scheduler_.running()) return 0;
    try {
      // Another thread's wait() may have opened the window since this one closed it. What was brought to main then is
      // fetched from there.
      open_.store(false, release);
      if (guard && !closed()) scheduler_.start(workers ? workers : configured_);
    } catch (const std::bad_alloc&) {
      failure = "not enough memory for the workers";
    } catch (const std::system_error&) {
      failure = "the system refuses another thread: lower the worker count (BOCPY_WORKERS) or raise the limit";
    } catch (const std::exception& other) {
      failure = other.what();
    }
  }
  if (closed()) return raise_closed();
  if (failure.empty()) return 0;
  PyErr_Format(PyExc_RuntimeError, "Error starting worker pool: %s", failure.c_str());
  return -1;
}

int Runtime::resume() {
  if (scheduler_.running() || closed() || scheduler_.root().cancelled()) return 0;
  return before_start() < 0 ? -1 : start(0);
}

void Runtime::open_window() {
  Detached detached;
  const auto guard = enter_lifecycle();
  if (guard && !scheduler_.running() && scheduler_.root().idle()) open_.store(true, release);
}

std::unique_lock<std::timed_mutex> Runtime::enter_lifecycle() {
  std::unique_lock lock(lifecycle_, std::defer_lock);
  while (!lock.try_lock_for(std::chrono::milliseconds(20)) && !closed()) {
  }
  return lock;
}

int Runtime::try_stop() {
  Detached detached;
  const auto guard = enter_lifecycle();
  if (!guard) return 1;
  if (scheduler_.running() && !scheduler_.try_stop()) return 0;
  return scheduler_.root().idle();  // destructors may schedule in the last moments of a worker
}

int Runtime::close() {
  {
    Detached detached;
    std::lock_guard guard(lifecycle_);
    if (scheduler_.root().cancelled()) {
      scheduler_.stop_for_good();
    } else if ((scheduler_.running() && !scheduler_.try_stop()) || !scheduler_.root().idle()) {
      return 0;
    }
    closed_.store(true, release);
    scheduler_.end();
  }
  backend_.close();
  return 1;
}

double monotonic_now() noexcept {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double parse_timeout(PyObject* timeout) {
  if (timeout == Py_None) return FOREVER;
  double seconds = PyFloat_AsDouble(timeout);
  if (seconds == -1.0 && PyErr_Occurred()) return -1;
  return std::isnan(seconds) || seconds < 0 ? 0 : seconds;
}

std::chrono::nanoseconds sleep_slice(double deadline) noexcept {
  double slice = 1.0;
  if (on_main_thread()) slice = main_slice();
  if (!context().held.empty()) slice = 0.01;
  double left = deadline - monotonic_now();
  if (left < slice) slice = left > 0 ? left : 0;
  return std::chrono::nanoseconds(static_cast<int64_t>(slice * 1e9));
}

int look_around() {
  if (!on_main_thread()) return 0;
  run_main_drops();
  return PyErr_CheckSignals();
}

namespace {

// Does anything that `scope` counts wait for what this thread holds?
bool waits_for_itself(Scope& scope) {
  for (Held& h : context().held) {
    auto counted = [](Behavior& waiting, void* s) {
      return waiting.scope && waiting.scope->within(static_cast<Scope*>(s));
    };
    if (runtime().scheduler().blocks(*h.turn, counted, &scope)) return true;
  }
  return false;
}

}  // namespace

int wait_idle(Scope& scope, double deadline, const char* what, bool (*enough)()) {
  if (context().carrying) return refuse_in_behavior(what);
  MainWait main_wait([](void* nudged) noexcept { static_cast<Scope*>(nudged)->nudge(); }, &scope);
  for (;;) {
    end_left_behind();
    if (main_wait.run_until([&] { return scope.idle(); }, deadline) < 0) return -1;
    // Cancelled: what has not begun is dropped sometime; only what runs is worth waiting for.
    if (scope.cancelled() && !runtime().scheduler().runs_in(scope)) return 1;
    if (waits_for_itself(scope)) {
      PyErr_Format(PyExc_RuntimeError,
                   "%s would wait for itself: a behavior is queued behind a cown that this thread holds. Release the "
                   "cown first (leave its `with` block)",
                   what);
      return -1;
    }
    if (enough && enough()) return 0;
    if (!scope.idle() && refuse_on_resting_worker(what) < 0) return -1;
    bool idle;
    {
      Detached detached;
      idle = scope.wait_for(sleep_slice(deadline), MainWait::has_work, &main_wait);
    }
    if (look_around() < 0) return -1;
    if (idle) return backend().run_main_errands() < 0 ? -1 : 1;
    if (monotonic_now() >= deadline) return 0;
  }
}

int raise_timeout(const char* what, double seconds) {
  Ref report(pending_report());
  if (!report) return -1;
  Ref module(PyImport_ImportModule("bocpy._reports"));
  const int pinned = runtime().pump().waiting();
  Ref message(module
                  ? PyObject_CallMethod(module.get(), "describe_timeout", "sdOi", what, seconds, report.get(), pinned)
                  : nullptr);
  if (message) PyErr_SetObject(PyExc_TimeoutError, message.get());
  return -1;
}

int refuse_while_carrying(const char* what) {
  if (context().update) {
    PyErr_Format(PyExc_RuntimeError,
                 "%s in the function of notice_update() would make everybody wait who updates the same key. Call "
                 "it before notice_update(), or after it",
                 what);
    return -1;
  }
  if (context().carrying) {
    PyErr_Format(
        PyExc_RuntimeError,
        "%s while a value is copied or carried (from its __reduce__, say) would wait for the one who holds the "
        "cown, who waits for this",
        what);
    return -1;
  }
  return 0;
}

int refuse_on_resting_worker(const char* what) {
  if (!on_resting_worker()) return 0;
  PyErr_Format(PyExc_RuntimeError,
               "%s on a worker between two behaviors (in a destructor or an initializer, say) would stop the worker. "
               "Schedule what comes next with @when",
               what);
  return -1;
}

int refuse_in_behavior(const char* what) {
  if (refuse_while_carrying(what) < 0) return -1;
  if (context().current) {
    PyErr_Format(PyExc_RuntimeError,
                 "%s inside a behavior would block its worker, and could wait for the behavior itself. Schedule what "
                 "comes next with @when on the cowns or results it needs",
                 what);
    return -1;
  }
  return 0;
}

int refuse_in_batch(const char* what) {
  if (context().batch) {
    PyErr_Format(PyExc_RuntimeError,
                 "%s inside an open batch would wait for behaviors that are scheduled only when the batch ends. Leave "
                 "the `with batch()` block first",
                 what);
    return -1;
  }
  return 0;
}

namespace {

PyObject* py_configure(PyObject*, PyObject* args) {
  unsigned workers;
  if (!PyArg_ParseTuple(args, "I", &workers)) return nullptr;
  runtime().configure(workers);
  Py_RETURN_NONE;
}

// _start(workers, initializer or None)
PyObject* py_start(PyObject*, PyObject* args) {
  unsigned workers;
  PyObject* initializer;
  if (!PyArg_ParseTuple(args, "IO", &workers, &initializer)) return nullptr;
  if (refuse_on_resting_worker("start()") < 0) return nullptr;
  runtime().close_window();
  if (initializer != Py_None && backend().set_initializer(initializer) < 0) return nullptr;
  const int started = runtime().before_start() < 0 ? -1 : runtime().start(workers);
  if (initializer != Py_None) backend().set_initializer(nullptr);
  if (started < 0) return nullptr;
  return PyLong_FromUnsignedLong(runtime().scheduler().worker_count());
}

PyObject* py_home_index(PyObject*, PyObject*) {
  return PyLong_FromUnsignedLong(home().index);
}

PyObject* py_running(PyObject*, PyObject*) {
  return PyBool_FromLong(runtime().scheduler().running());
}

// _quiesce(timeout, what): timeout in seconds, infinity for none.
PyObject* py_quiesce(PyObject*, PyObject* args) {
  double timeout;
  const char* what;
  if (!PyArg_ParseTuple(args, "ds", &timeout, &what)) return nullptr;
  if (refuse_in_behavior(what) < 0 || refuse_in_batch(what) < 0 || refuse_on_resting_worker(what) < 0) return nullptr;
  // What was scheduled as the workers stopped, by a destructor say, waits for the next ones (H3).
  if (!runtime().scheduler().root().idle() && runtime().resume() < 0) return nullptr;
  int idle = wait_idle(runtime().scheduler().root(), monotonic_now() + timeout, what);
  if (idle < 0 || (idle == 0 && raise_timeout(what, timeout) < 0)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* py_try_stop(PyObject*, PyObject*) {
  return PyBool_FromLong(runtime().try_stop());
}

// What wait() does once the workers are gone.
PyObject* py_settle(PyObject*, PyObject*) {
  if (backend().run_main_errands() < 0) return nullptr;
  runtime().open_window();
  drop_clones();
  backend().settle();
  runtime().failures().report_all();
  Py_RETURN_NONE;
}

PyObject* py_report_failures(PyObject*, PyObject*) {
  runtime().failures().report_all();
  Py_RETURN_NONE;
}

PyObject* py_worker_count(PyObject*, PyObject*) {
  return PyLong_FromUnsignedLong(runtime().scheduler().worker_count());
}

PyObject* py_stats(PyObject*, PyObject*) {
  Scheduler& scheduler = runtime().scheduler();
  PyObject* list = PyList_New(0);
  if (!list) return nullptr;
  for (unsigned i = 0; i < scheduler.kept_count(); ++i) {
    WorkerStats& s = scheduler.stats(i);
    // One of an earlier, larger start is a guest in this period: it runs only what must run there.
    if (i >= scheduler.worker_count() && s.executed.get() == 0) continue;
    auto n = [](const Counter& c) { return static_cast<unsigned long long>(c.get()); };
    Ref item(Py_BuildValue("{sIsKsKsKsKsKsKsKsKsKsKsKsKsK}", "worker_index", i, "executed", n(s.executed), "cancelled",
                           n(s.cancelled), "dispatched", n(s.scheduled), "popped_next", n(s.from_next), "popped_local",
                           n(s.from_queue), "popped_injector", n(s.from_injector), "stolen", n(s.stolen),
                           "batch_resets", n(s.streaks_cut), "steal_attempts", n(s.steal_attempts), "steal_failures",
                           n(s.steal_failures), "parked", n(s.parked), "parks_cancelled", n(s.parks_cancelled), "wakes",
                           n(s.wakes)));
    if (item) backend().add_stats(scheduler.kept_worker(i), item.get());
    if (!item || PyErr_Occurred() || PyList_Append(list, item.get()) < 0) {
      Py_DECREF(list);
      return nullptr;
    }
  }
  return list;
}

PyObject* py_cancel_all(PyObject*, PyObject*) {
  cancel_scope(runtime().scheduler().root());
  Py_RETURN_NONE;
}

PyObject* py_begin_end(PyObject*, PyObject*) {
  runtime().begin_end();
  Py_RETURN_NONE;
}

PyObject* py_close(PyObject*, PyObject*) {
  return PyBool_FromLong(runtime().close());
}

// This thread ends: so does all that it has open.
PyObject* py_release_all(PyObject*, PyObject*) {
  end_open(context());
  Py_RETURN_NONE;
}

PyObject* py_before_fork(PyObject*, PyObject*) {
  backend().before_fork();
  Py_RETURN_NONE;
}

// _after_fork(in_child). In the child: the parent's workers are not here, and its cowns stay its own.
PyObject* py_after_fork(PyObject*, PyObject* in_child) {
  backend().after_fork(in_child == Py_True);
  if (in_child != Py_True) Py_RETURN_NONE;
  ++generation;
  Context& c = context();
  c.worker = nullptr;
  c.current = nullptr;
  c.scope = nullptr;
  c.batch = nullptr;
  c.held.clear();
  c.scopes.clear();
  c.running.store(nullptr, relaxed);
  c.dead = nullptr;
  set_main_thread(PyThread_get_thread_ident());
  main_drops_after_fork();
  sites_after_fork();
  left_behind_after_fork();
  homes_after_fork();
  code_infos_after_fork();
  clones_after_fork();
  notices_after_fork();
  messages_after_fork();
  waiting_behaviors_after_fork();
  window_list_after_fork();
  make_runtime(sub_interpreters_chosen());  // the old runtime is left alone for ever: nothing of it can be trusted
  Py_RETURN_NONE;
}

}  // namespace

PyMethodDef runtime_methods[] = {{"_choose", py_choose, METH_VARARGS, nullptr},
                                 {"_configure", py_configure, METH_VARARGS, nullptr},
                                 {"_start", py_start, METH_VARARGS, nullptr},
                                 {"_home_index", py_home_index, METH_NOARGS, nullptr},
                                 {"_running", py_running, METH_NOARGS, nullptr},
                                 {"_quiesce", py_quiesce, METH_VARARGS, nullptr},
                                 {"_finish", finish_program, METH_O, nullptr},
                                 {"_try_stop", py_try_stop, METH_NOARGS, nullptr},
                                 {"_settle", py_settle, METH_NOARGS, nullptr},
                                 {"_report_failures", py_report_failures, METH_NOARGS, nullptr},
                                 {"_stats", py_stats, METH_NOARGS, nullptr},
                                 {"_worker_count", py_worker_count, METH_NOARGS, nullptr},
                                 {"_cancel_all", py_cancel_all, METH_NOARGS, nullptr},
                                 {"_begin_end", py_begin_end, METH_NOARGS, nullptr},
                                 {"_close", py_close, METH_NOARGS, nullptr},
                                 {"_release_all", py_release_all, METH_NOARGS, nullptr},
                                 {"_before_fork", py_before_fork, METH_NOARGS, nullptr},
                                 {"_after_fork", py_after_fork, METH_O, nullptr},
                                 {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
