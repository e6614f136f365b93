// One interpreter that takes part: the main one, or a worker's own. What a module usually keeps in static variables and
// what belongs to an interpreter lies here.
#pragma once

#include "boc/sync.h"
#include "compat.h"

namespace boc::py {

class Station;

// Invariants
//   O1  A home is never freed: payloads, thread-local pointers and drop lists refer to it for as long as the process
//       lives. In a forked child only the main interpreter's is used again.
struct Home {
  PyInterpreterState* interpreter = nullptr;
  unsigned index = 0;  // 0: the main interpreter; worker w has w + 1

  // The module's types here. Strong, set by the module's exec slot.
  PyTypeObject* cown_type = nullptr;
  PyTypeObject* pinned_type = nullptr;
  PyTypeObject* read_type = nullptr;
  PyTypeObject* when_type = nullptr;
  PyTypeObject* notice_view_type = nullptr;
  PyObject* removed = nullptr;          // REMOVED
  PyObject* message_timeout = nullptr;  // TIMEOUT
  PyTypeObject* matrix_type = nullptr;
  PyTypeObject* matrix_view_type = nullptr;
  PyTypeObject* matrix_views_type = nullptr;     // what m.view is
  PyTypeObject* matrix_iterator_type = nullptr;  // of rows, values and views
  PyObject* scope_variable = nullptr;            // ContextVar: the scope object of the thread or task
  PyObject* breath = nullptr;                    // a Python function that does nothing (Backend::breathe)
  atomic<bool> scopes_used{false};               // a scope has been entered outside behaviors

  Station* station = nullptr;  // the sub-interpreter backend's part

  bool main() const noexcept { return index == 0; }
};

extern constinit thread_local Home* home_of_thread BOC_FAST_TLS;
// The home of the interpreter that the calling thread is attached to; found, not made. Never null where a function of
// the module runs, as the module's exec slot enters its interpreter first.
Home* find_home() noexcept;

// The calling thread's. A thread stays in one interpreter; who attaches to another for a while says so (InHome).
inline Home& home() noexcept {
  Home* mine = home_of_thread;
  return mine ? *mine : *find_home();
}

// By the module's exec slot: makes the main interpreter's home known, or completes the home that add_home() announced.
// Null with ImportError in an interpreter that does not take part.
Home* enter_home();
// Announces the home of an interpreter that has just been made.
Home* add_home(PyInterpreterState* interpreter, unsigned index);
// The worker homes of the parent are not here.
void homes_after_fork() noexcept;

// The thread is attached to another interpreter for as long as this lives.
class InHome {
 public:
  explicit InHome(Home& other) noexcept : before_(home_of_thread) { home_of_thread = &other; }
  ~InHome() { home_of_thread = before_; }
  InHome(const InHome&) = delete;
  InHome& operator=(const InHome&) = delete;

 private:
  Home* before_;
};

}  // namespace boc::py
