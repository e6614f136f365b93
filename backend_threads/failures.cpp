#include "failures.h"

#include <new>
#include <utility>

#include "py_errors.h"

#if PY_VERSION_HEX < 0x030D0000
extern "C" void _PyErr_WriteUnraisableMsg(const char* message, PyObject* object);
#endif

namespace boc::py {

void Failures::add(Payload& payload) {
  std::lock_guard guard(mutex_);
  unseen_.insert(&payload);
}

void Failures::look(Payload& payload) noexcept {
  if (payload.cancelled.load(acquire)) name_cancellation(payload);  // acquire: pairs with the release there
  if (!payload.failed.load(relaxed) || payload.looked.load(relaxed)) return;
  std::lock_guard guard(mutex_);
  payload.looked.store(true, relaxed);
  unseen_.erase(&payload);
}

// The error of a dropped behavior is made when somebody looks, which mostly nobody does.
void Failures::name_cancellation(Payload& payload) noexcept {
  raise_error("CancelledError", PyUnicode_FromString("the behavior was cancelled before it began"));
  PyObject* error = take_exception();
  PyObject* old = nullptr;
  {
    std::lock_guard guard(mutex_);
    if (payload.cancelled.load(relaxed)) {
      old = payload.value;
      payload.value = error;
      payload.cancelled.store(false, release);
      error = nullptr;
    }
  }
  Py_XDECREF(old);
  Py_XDECREF(error);
}

void Failures::drop(Payload& payload) noexcept {
  if (!payload.failed.load(relaxed) || payload.looked.load(relaxed)) return;
  bool mine;
  {
    std::lock_guard guard(mutex_);
    mine = unseen_.erase(&payload) != 0;
  }
  if (mine) report(payload.value, payload.origin);
}

void Failures::report_all() noexcept {
  for (;;) {
    PyObject *error = nullptr, *origin = nullptr;
    {
      std::lock_guard guard(mutex_);
      if (unseen_.empty()) return;
      Payload* payload = *unseen_.begin();
      unseen_.erase(unseen_.begin());
      payload->looked.store(true, relaxed);
      error = Py_NewRef(payload->value);
      origin = Py_XNewRef(payload->origin);
    }
    report(error, origin);
    Py_DECREF(error);
    Py_XDECREF(origin);
  }
}

// The hook writes in several pieces and may do anything: only one thread is in it at a time, and the others leave their
// reports to that one rather than wait.
void Failures::report(PyObject* error, PyObject* origin) noexcept {
  Report mine{Py_NewRef(error), Py_XNewRef(origin)};
  std::unique_lock lock(mutex_);
  try {
    reports_.push_back(mine);
  } catch (const std::bad_alloc&) {
    lock.unlock();
    write(mine);
    return;
  }
  if (reporting_) return;
  reporting_ = true;
  while (!reports_.empty()) {
    Report next = reports_.front();
    reports_.pop_front();
    lock.unlock();
    write(next);
    lock.lock();
  }
  reporting_ = false;
}

void Failures::write(const Report& report) noexcept {
  auto [error, origin] = report;
  PyObject* raised = take_exception();
  Ref describe(module_attribute("bocpy._reports", "describe_failure"));
  Ref said(describe ? PyObject_CallFunctionObjArgs(describe.get(), error, origin ? origin : Py_None, nullptr)
                    : nullptr);
  const char* place = said ? PyUnicode_AsUTF8(said.get()) : nullptr;
  PyErr_Clear();
  raise_exception(error);
#if PY_VERSION_HEX >= 0x030D0000
  PyErr_FormatUnraisable("Exception ignored in behavior %s", place ? place : "?");
#else
  // These versions put "Exception ignored" in front.
  PyObject* text = PyUnicode_FromFormat("in behavior %s", place ? place : "?");
  const char* message = text ? PyUnicode_AsUTF8(text) : nullptr;
  _PyErr_WriteUnraisableMsg(message ? message : "in a behavior", nullptr);
  Py_XDECREF(text);
#endif
  Py_XDECREF(origin);
  raise_exception(raised);
}

void Failures::after_fork() {
  new (&mutex_) Mutex;  // its holder may be gone
  new (&unseen_) std::unordered_set<Payload*>;
  new (&reports_) std::deque<Report>;
  reporting_ = false;
}

}  // namespace boc::py
