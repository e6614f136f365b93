#include "failures.h"

#include <new>
#include <utility>

#include "py_errors.h"

namespace boc::py {

void Failures::add(Payload& payload) {
  std::lock_guard guard(mutex_);
  unseen_.insert(&payload);
}

void Failures::look(Payload& payload) noexcept {
  if (!payload.failed || payload.looked) return;
  std::lock_guard guard(mutex_);
  payload.looked = true;
  unseen_.erase(&payload);
}

void Failures::drop(Payload& payload) noexcept {
  if (!payload.failed || payload.looked) return;
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
      payload->looked = true;
      error = Py_NewRef(payload->value);
      origin = Py_XNewRef(payload->origin);
    }
    report(error, origin);
    Py_DECREF(error);
    Py_XDECREF(origin);
  }
}

void Failures::report(PyObject* error, PyObject* origin) noexcept {
  PyObject* raised = take_exception();
  Ref hook(PySys_GetObject("unraisablehook"));  // borrowed: given back below
  if (hook) Py_INCREF(hook.get());
  Ref type(module_attribute("sys", "UnraisableHookArgs"));
  Ref message(PyUnicode_FromFormat("The exception of behavior %S was never looked at", origin ? origin : Py_None));
  if (hook && type && message) {
    Ref fields(PyTuple_Pack(5, Py_TYPE(error), error, Py_None, message.get(), Py_None));
    Ref args(fields ? PyObject_CallOneArg(type.get(), fields.get()) : nullptr);
    Ref done(args ? PyObject_CallOneArg(hook.get(), args.get()) : nullptr);
  }
  if (PyErr_Occurred()) PyErr_WriteUnraisable(error);
  raise_exception(raised);
}

void Failures::after_fork() {
  new (&mutex_) Mutex;  // its holder may be gone
  new (&unseen_) std::unordered_set<Payload*>;
}

}  // namespace boc::py
