#include "main_thread.h"

#include <mutex>
#include <new>
#include <vector>

#include "home.h"

namespace boc::py {
namespace {

atomic<unsigned long> main_ident{0};

struct Drops {
  std::mutex mutex;  // for a few instructions; never while Python code runs
  std::vector<PyObject*> all;
  bool announced = false;  // a pending call is on its way to the main thread
  atomic<bool> any{false};
};

// Never destroyed, as threads may end after static destruction.
Drops* const drops = new Drops;

int run_pending(void*) {
  {
    std::lock_guard guard(drops->mutex);
    drops->announced = false;
  }
  run_main_drops();
  return 0;
}

}  // namespace

bool on_main_thread() noexcept {
  if (PyThread_get_thread_ident() != main_ident.load(relaxed)) return false;
  // While it visits a worker's interpreter, what runs there is not main's.
  return !home_of_thread || home_of_thread->main();
}

void set_main_thread(unsigned long ident) noexcept {
  main_ident.store(ident, relaxed);
}

void drop_on_main(PyObject* object) noexcept {
  if (!object) return;
  if (on_main_thread()) {
    Py_DECREF(object);
    return;
  }
  bool announce = false;
  {
    std::lock_guard guard(drops->mutex);
    try {
      drops->all.push_back(object);
    } catch (const std::bad_alloc&) {
      return;
    }
    drops->any.store(true, release);  // partner: the acquire in run_main_drops()
    announce = !drops->announced;
    drops->announced = true;
  }
  // The list of pending calls is short, and others use it too. If it is full the main thread looks here by itself.
  if (!announce || Py_AddPendingCall(run_pending, nullptr) == 0) return;
  std::lock_guard guard(drops->mutex);
  drops->announced = false;
}

void run_main_drops() noexcept {
  if (!drops->any.load(acquire) || !on_main_thread()) return;  // acquire: partner of the release in drop_on_main()
  std::vector<PyObject*> taken;
  {
    std::lock_guard guard(drops->mutex);
    taken.swap(drops->all);
    drops->any.store(false, relaxed);
  }
  PyObject* raised = take_exception();
  for (PyObject* object : taken) {
    Py_DECREF(object);
    PyErr_Clear();
  }
  raise_exception(raised);
}

void main_drops_after_fork() noexcept {
  new (drops) Drops;  // its mutex may be held by a thread that is not here
}

}  // namespace boc::py
