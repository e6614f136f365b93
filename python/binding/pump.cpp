#include "pump.h"

#include <utility>

#include "main_thread.h"
#include "runtime.h"
#include "site.h"

namespace boc::py {
namespace {

// The main thread looks for signals that often: Ctrl-C must arrive within 0.1 s.
constexpr double MOST_SLICE = 0.05;
atomic<double> slice{MOST_SLICE};

}  // namespace

double main_slice() noexcept {
  return slice.load(relaxed);
}

int refuse_off_main(const char* what) {
  if (on_main_thread()) return 0;
  PyErr_Format(PyExc_RuntimeError,
               "%s outside the main thread of the main interpreter: what is pinned is used there alone. Schedule a "
               "behavior on the pinned cown, which runs there",
               what);
  return -1;
}

Pump::Pump(Scheduler& scheduler) : scheduler_(scheduler), worker_(scheduler, 0, true), inside_(new Context) {
  register_context(*inside_);
  scheduler_.main_lane().on_push(arrived, this);
}

void Pump::tell() noexcept {
  if (!listener_ || told_) return;
  told_ = due_ = true;
  listen_.notify_all();
}

void Pump::arrived(void* argument) noexcept {
  Pump& pump = *static_cast<Pump*>(argument);
  std::lock_guard guard(pump.mutex_);
  if (!pump.waiting()) return;  // the main thread was quicker
  if (pump.since_ == Clock::time_point{}) pump.since_ = Clock::now();
  if (!pump.innermost_) {
    pump.tell();
  } else if (pump.innermost_->wake_) {
    pump.innermost_->wake_(pump.innermost_->argument_);
  }
}

void Pump::note_empty() noexcept {
  if (waiting()) return;
  std::lock_guard guard(mutex_);
  if (waiting()) return;
  since_ = {};
  starvation_told_ = false;
}

double Pump::starved_for(double limit) noexcept {
  std::lock_guard guard(mutex_);
  if (since_ == Clock::time_point{} || starvation_told_ || !waiting()) return 0;
  const double seconds = std::chrono::duration<double>(Clock::now() - since_).count();
  if (seconds < limit) return 0;
  starvation_told_ = true;
  return seconds;
}

unsigned Pump::listen(bool listens) noexcept {
  std::lock_guard guard(mutex_);
  listener_ = listens ? ++listeners_ : 0;
  told_ = due_ = false;
  listen_.notify_all();  // the one before ends
  if (!innermost_ && waiting()) tell();
  return listener_;
}

bool Pump::await(unsigned number) noexcept {
  std::unique_lock lock(mutex_);
  listen_.wait(lock, [&] { return number != listener_ || due_; });
  if (number != listener_) return false;
  due_ = false;
  return true;
}

Pump::Step Pump::run_one(bool raises_all) {
  // What workers have written came before what it writes; a Ctrl-C that is due rises here rather than in it.
  if (PyErr_CheckSignals() < 0 || backend().run_main_errands() < 0) return Step::STOPPED;
  Context& outside = context();
  // A destructor that runs as a pinned behavior has ended may wait, and so be here again.
  PyObject* const raised_before = std::exchange(inside_->raised, nullptr);
  const bool raises_before = std::exchange(inside_->raises_all, raises_all);
  const uint64_t dropped = worker_.stats().cancelled.get();
  context_of_thread = inside_;
  const bool any = scheduler_.run_main(worker_);
  backend().drop_dead(*inside_);
  context_of_thread = &outside;
  PyObject* const error = std::exchange(inside_->raised, raised_before);
  inside_->raises_all = raises_before;
  note_empty();
  if (!any) return Step::NOTHING;
  if (!error) return worker_.stats().cancelled.get() == dropped ? Step::RAN : Step::DROPPED;
  if (raises_all || !PyErr_GivenExceptionMatches(error, PyExc_Exception)) {
    raise_exception(error);
    return Step::STOPPED;
  }
  Py_DECREF(error);
  return Step::FAILED;
}

MainWait::MainWait(Wake wake, void* argument) noexcept
    : pump_(on_main_thread() ? &runtime().pump() : nullptr), wake_(wake), argument_(argument) {
  if (!pump_) return;
  std::lock_guard guard(pump_->mutex_);
  outer_ = std::exchange(pump_->innermost_, this);
  pump_->told_ = pump_->due_ = false;
}

MainWait::~MainWait() {
  if (!pump_) return;
  std::lock_guard guard(pump_->mutex_);
  pump_->innermost_ = outer_;
  if (!outer_ && pump_->waiting()) pump_->tell();  // L2
}

namespace {

int check_pump() {
  if (refuse_off_main("pump()") < 0) return -1;
  if (runtime().pump().running() || context().current) {
    PyErr_SetString(
        PyExc_RuntimeError,
        "pump() is not reentrant: it is called from inside a pinned behavior. What that schedules runs when "
        "it has ended");
    return -1;
  }
  if (context().carrying) return refuse_in_behavior("pump()");
  if (runtime().scheduler().running() || runtime().pump().waiting()) return 0;
  PyErr_SetString(
      PyExc_RuntimeError,
      "pump() without a runtime, which wait() has stopped or nothing has started: call bocpy.start() first, "
      "or schedule a behavior");
  return -1;
}

// _pump(milliseconds, most, raise_on_error) -> (executed, deadline_reached, raised); below 0: no bound.
PyObject* py_pump(PyObject*, PyObject* args) {
  double milliseconds;
  long long most;
  int raises;
  if (!PyArg_ParseTuple(args, "dLp", &milliseconds, &most, &raises)) return nullptr;
  if (check_pump() < 0) return nullptr;
  const double deadline = milliseconds < 0 ? FOREVER : monotonic_now() + milliseconds / 1000;
  run_main_drops();
  long long executed = 0, raised = 0;
  bool late = false;
  {
    Pump& pump = runtime().pump();
    const MainWait in_pump(nullptr, nullptr);  // nobody need be told of what comes meanwhile
    while (!late && executed != most) {
      const Pump::Step step = pump.run_one(raises);
      if (step == Pump::Step::STOPPED) return nullptr;
      if (step == Pump::Step::NOTHING) break;
      if (step == Pump::Step::DROPPED) continue;
      ++executed;
      if (step == Pump::Step::FAILED) ++raised;
      late = monotonic_now() >= deadline;
    }
  }
  return Py_BuildValue("LNL", executed, PyBool_FromLong(late), raised);
}

// _starved_for(limit): seconds.
PyObject* py_starved_for(PyObject*, PyObject* limit) {
  const double seconds = PyFloat_AsDouble(limit);
  if (seconds == -1.0 && PyErr_Occurred()) return nullptr;
  return PyFloat_FromDouble(runtime().pump().starved_for(seconds));
}

PyObject* py_listen(PyObject*, PyObject* listens) {
  return PyLong_FromUnsignedLong(runtime().pump().listen(listens == Py_True));
}

// _await_pinned(number): True to call the listener, False if it is none any more.
PyObject* py_await_pinned(PyObject*, PyObject* argument) {
  const unsigned long number = PyLong_AsUnsignedLong(argument);
  if (PyErr_Occurred()) return nullptr;
  Pump& pump = runtime().pump();  // of this process, whatever forks
  bool due;
  {
    Detached detached;
    due = pump.await(static_cast<unsigned>(number));
  }
  return PyBool_FromLong(due);
}

// _set_wait_poll(seconds)
PyObject* py_set_wait_poll(PyObject*, PyObject* value) {
  const double seconds = PyFloat_AsDouble(value);
  if (seconds == -1.0 && PyErr_Occurred()) return nullptr;
  slice.store(seconds < MOST_SLICE ? seconds : MOST_SLICE, relaxed);
  Py_RETURN_NONE;
}

PyObject* py_on_main_thread(PyObject*, PyObject*) {
  return PyBool_FromLong(on_main_thread());
}

PyObject* py_pinned_exist(PyObject*, PyObject*) {
  return PyBool_FromLong(pinned_cowns_exist.load(relaxed));
}

}  // namespace

PyMethodDef pump_methods[] = {{"_pump", py_pump, METH_VARARGS, nullptr},
                              {"_starved_for", py_starved_for, METH_O, nullptr},
                              {"_listen", py_listen, METH_O, nullptr},
                              {"_await_pinned", py_await_pinned, METH_O, nullptr},
                              {"_set_wait_poll", py_set_wait_poll, METH_O, nullptr},
                              {"_on_main_thread", py_on_main_thread, METH_NOARGS, nullptr},
                              {"_pinned_exist", py_pinned_exist, METH_NOARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
