#include "failures.h"

#include <new>
#include <utility>

#include "py_backend.h"
#include "py_errors.h"
#include "site.h"

#if PY_VERSION_HEX < 0x030D0000
extern "C" void _PyErr_WriteUnraisableMsg(const char* message, PyObject* object);
#endif

namespace boc::py {

void Failures::add(Payload& payload) {
  payload.strong_only.store(false, relaxed);  // C4: report_all() makes references from this table
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
  if (error) backend().name_cancelled(payload, error, mutex_);
}

bool Failures::drop(Payload& payload) noexcept {
  if (!payload.failed.load(relaxed) || payload.looked.load(relaxed)) return false;
  std::lock_guard guard(mutex_);
  return unseen_.erase(&payload) != 0;
}

// One that nobody has looked at, with a reference; it counts as looked at. Null if there is none. What its last owner is
// just giving up stays on the list: that one reports it.
Payload* Failures::take_unseen() noexcept {
  std::lock_guard guard(mutex_);
  for (auto at = unseen_.begin(); at != unseen_.end(); ++at) {
    Payload* payload = *at;
    if (!ref_if_alive(*payload)) continue;
    unseen_.erase(at);
    payload->looked.store(true, relaxed);
    return payload;
  }
  return nullptr;
}

PyObject* unseen_error(Payload& payload) noexcept {
  Ref error(backend().stored_error(payload));
  if (!error) error = Ref(take_exception());  // why it cannot be told
  return error && PyExceptionInstance_Check(error.get()) ? error.release() : nullptr;
}

void Failures::report_all() noexcept {
  while (Payload* payload = take_unseen()) {
    Ref error(unseen_error(*payload));
    if (error) report(error.get(), payload->origin);
    if (payload->unref()) backend().drop(payload);
  }
}

// The hook writes in several pieces and may do anything: only one thread is in it at a time, and the others leave their
// reports to that one rather than wait.
void Failures::report(PyObject* error, Site* origin) noexcept {
  if (!home().main()) return report_elsewhere(error, origin);
  keep_site(origin);
  Report mine{Py_NewRef(error), origin};
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
  Ref said(describe ? PyObject_CallFunction(describe.get(), "Os", error, describe_site(origin)) : nullptr);
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
  let_go_site(origin);
  raise_exception(raised);
}

void Failures::after_fork() {
  new (&mutex_) Mutex;  // its holder may be gone
  new (&unseen_) std::unordered_set<Payload*>;
  new (&reports_) std::deque<Report>;
  reporting_ = false;
}

}  // namespace boc::py
