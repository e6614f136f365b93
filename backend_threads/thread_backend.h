// Behaviors on plain threads of one interpreter. Values are references; nothing is encoded.
#pragma once

#include "py_backend.h"

namespace boc::py {

class ThreadBackend final : public PyBackend {
 public:
  void worker_started(Worker& worker) override;
  void worker_stopping(Worker& worker) noexcept override;
  void before_park(Worker& worker) noexcept override;
  void after_park(Worker& worker) noexcept override;
  bool drops_silently(const Cown& dead) noexcept override;
  void thread_started(Worker& worker) noexcept override;

  PyBehavior* make(CallPlan& plan, const Parameters& parameters, PyObject* const* extras, Py_ssize_t n) override;

  int set_initializer(PyObject* callable) override;

  Payload* make_payload(PyObject* stolen) override;
  Payload* make_pinned(PyObject* stolen) override;
  PyObject* bring(Payload& payload, bool writes) override;
  int put(Payload& payload, PyObject* stolen, PyObject** old) override;
  PyObject* peek(Payload& payload) override;
  PyObject* copy_out(Payload& payload) override;
  std::unique_ptr<Posted> post(PyObject* value) override;
  bool owns(Payload& payload, PyObject* value) noexcept override;
  void name_cancelled(Payload& payload, PyObject* error, Mutex& lock) noexcept override;

 protected:
  void clear_call(PyBehavior& behavior) noexcept override;
  void let_go_call(PyBehavior& behavior) noexcept override;
  PyObject* invoke(PyBehavior& behavior) noexcept override;
  bool destroy(Payload& payload) noexcept override;
  void store_error(Payload& result, PyObject* stolen) noexcept override;

 private:
  Home* const home_ = &home();
  PyObject* initializer_ = nullptr;  // strong; changes only while no worker starts
};

}  // namespace boc::py
