// Behaviors on workers that each have an interpreter with a GIL of their own. Values stay where they are while they need
// not move (moving_payload.h); functions go by value (recipe.h).
#pragma once

#include <string>
#include <vector>

#include "boc/worker.h"
#include "fetch.h"
#include "py_backend.h"

namespace boc::py {

class Station;

// What a worker counts, for wait(stats=True).
struct MovingStats {
  FetchCounters fetches;
  Counter resident_hits;  // values that were there already
  Counter sent_home;      // behaviors that went where a value is that cannot be carried
  Counter sent_along;     // values that were encoded as their behavior was sent to another worker

  void reset() noexcept {
    for (Counter* c :
         {&fetches.mail, &fetches.visits, &fetches.failed, &fetches.bytes, &resident_hits, &sent_home, &sent_along}) {
      c->reset();
    }
  }
};

// What belongs to a worker, from its first start to the end of its thread.
struct WorkerData {
  Home* home;
  PyThreadState* state;  // of the strand that sleeps; at the end, the interpreter's first
  MovingStats stats;
  bool warm = false;  // warm_up() was called
};
inline WorkerData* worker_data(const Worker& worker) noexcept {
  return static_cast<WorkerData*>(worker.backend_data);
}

class SubinterpBackend final : public PyBackend {
 public:
  SubinterpBackend();

  bool has_homes() const noexcept override { return true; }
  Place place(const Behavior& behavior) noexcept override;
  bool enter(Worker& worker, Behavior& behavior) noexcept override;
  void sending(Worker& worker, Behavior& behavior) noexcept override;
  void thread_started(Worker& worker) noexcept override;
  bool has_errands(const Worker& worker) const noexcept override;
  void run_errands(Worker& worker) noexcept override;
  void worker_started(Worker& worker) override;
  void worker_resumed(Worker& worker) override;
  void worker_stopping(Worker& worker) noexcept override;
  void worker_ending(Worker& worker) noexcept override;
  void before_park(Worker& worker) noexcept override;
  void after_park(Worker& worker) noexcept override;
  bool drops_silently(const Cown& dead) noexcept override;

  PyBehavior* make(CallPlan& plan, const Parameters& parameters, PyObject* const* extras, Py_ssize_t n) override;

  Payload* make_payload(PyObject* stolen) override;
  Payload* make_pinned(PyObject* stolen) override;
  PyObject* bring(Payload& payload, bool writes) override;
  int put(Payload& payload, PyObject* stolen, PyObject** old) override;
  PyObject* peek(Payload& payload) override;
  PyObject* value_to_change(Payload& payload) override;
  PyObject* stored_error(Payload& payload) override;
  PyObject* copy_out(Payload& payload) override;
  std::unique_ptr<Posted> post(PyObject* value) override;
  bool owns(Payload& payload, PyObject* value) noexcept override;
  void name_cancelled(Payload& payload, PyObject* error, Mutex& lock) noexcept override;
  int end_hold(Payload& payload) override;

  int prepare_start() override;
  int set_initializer(PyObject* callable) override;
  int run_main_errands() override;
  void settle() noexcept override;
  void close() noexcept override;
  void before_fork() noexcept override;
  void after_fork(bool in_child) noexcept override;
  void add_stats(Worker& worker, PyObject* stats) override;

 protected:
  void clear_call(PyBehavior& behavior) noexcept override;
  void let_go_call(PyBehavior& behavior) noexcept override;
  PyObject* invoke(PyBehavior& behavior) noexcept override;
  void before_wait() noexcept override;
  void leave(PyBehavior& behavior) noexcept override;
  bool destroy(Payload& payload) noexcept override;
  void store_error(Payload& result, PyObject* stolen) noexcept override;

 private:
  void initialize();
  PyObject* read_copy(Payload& payload);
  PyObject* take_over(Payload& payload);

  // What workers' interpreters are set up with.
  std::mutex snapshot_mutex_;
  std::vector<std::string> path_;
  std::string snapshot_;
  EncodedRef initializer_;
};

}  // namespace boc::py
