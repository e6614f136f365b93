#include "fork_guard.h"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <new>
#include <shared_mutex>

#include "keyword_names.h"
#include "xidata.h"

#ifndef _WIN32
#include <pthread.h>

// CPython's own state. Its type is private and changes between releases, hence only bytes here; weak, so that a build
// without it imports and merely lacks the guard.
extern "C" {
extern __attribute__((weak)) char _PyRuntime[];
}
#endif

namespace boc::py {
namespace {

// _PyRuntime.interpreters, the same in every CPython from 3.12 to 3.15. A lock lies in the word before.
struct Interpreters {
  PyInterpreterState* head;  // newest first, so main is the last
  PyInterpreterState* main;
  std::int64_t next_id;
};

volatile Interpreters* interpreters = nullptr;

// Words, not fields of a private header: a wheel built against one patch release must find them in another. The
// public API tells which two neighboring pointers to look for. The struct is among the first in _PyRuntime, and
// what lies before it are numbers.
constexpr std::size_t kRuntimeBytes = 16 * 1024;

volatile Interpreters* find_interpreters() noexcept {
#ifndef _WIN32
  char* runtime = _PyRuntime;
  if (!runtime) return nullptr;
  for (std::size_t at = sizeof(void*); at + sizeof(Interpreters) <= kRuntimeBytes; at += sizeof(void*)) {
    auto* candidate = reinterpret_cast<volatile Interpreters*>(runtime + at);
    if (candidate->head != PyInterpreterState_Head() || candidate->main != PyInterpreterState_Main()) continue;
    if (candidate->next_id >= 1 && candidate->next_id < (std::int64_t{1} << 40)) return candidate;
  }
#endif
  return nullptr;
}

// In the child, inside fork(): one thread, which may do nothing but store.
void keep_main_only() noexcept {
  if (interpreters) interpreters->head = interpreters->main;
}

// CPython's lock around the list.
class ListLock {
 public:
#if PY_VERSION_HEX >= 0x030D0000
  ListLock() noexcept { PyMutex_Lock(mutex()); }
  ~ListLock() { PyMutex_Unlock(mutex()); }

 private:
  static PyMutex* mutex() noexcept {
    return reinterpret_cast<PyMutex*>(reinterpret_cast<std::uintptr_t>(interpreters) - sizeof(void*));
  }
#else
  ListLock() noexcept { PyThread_acquire_lock(mutex(), WAIT_LOCK); }
  ~ListLock() { PyThread_release_lock(mutex()); }

 private:
  static PyThread_type_lock mutex() noexcept {
    return *reinterpret_cast<PyThread_type_lock*>(reinterpret_cast<std::uintptr_t>(interpreters) - sizeof(void*));
  }
#endif
};

// Where an interpreter keeps the address of the next one. An interpreter's state has well over 100 KB, and what lies
// before this field is the state of its evaluation loop.
PyInterpreterState* volatile* next_field(PyInterpreterState* interpreter, PyInterpreterState* next) noexcept {
  auto* word = reinterpret_cast<PyInterpreterState* volatile*>(interpreter);
  for (std::size_t i = 0; i < 32 * 1024 / sizeof(void*); ++i) {
    if (word[i] == next) return word + i;
  }
  return nullptr;
}

// Those who make interpreters share it (3.12: one at a time), a fork takes it alone. A forked child may find it locked
// by a thread that it does not have: then it gets a new one in place.
union Making {
  Making() noexcept : mutex() {}
  ~Making() {}
  std::shared_timed_mutex mutex;
};
Making making;
thread_local int forks_open = 0;  // a hook that runs before a fork can itself fork
thread_local bool holds_making = false;

}  // namespace

bool guard_forks() noexcept {
#ifndef _WIN32
  if (interpreters) return true;
  for (int i = 0; i < 3 && !interpreters; ++i) interpreters = find_interpreters();  // others may be making one now
  if (!interpreters) return false;
  if (pthread_atfork(nullptr, nullptr, keep_main_only) == 0) return true;
  interpreters = nullptr;
  return false;
#else
  return true;  // nothing forks here
#endif
}

void before_fork() noexcept {
  if (forks_open++ > 0) return;
  if (making.mutex.try_lock()) {
    holds_making = true;
    return;
  }
  PyThreadState* state = PyEval_SaveThread();
  holds_making = making.mutex.try_lock_for(std::chrono::seconds(1));
  PyEval_RestoreThread(state);
}

void after_fork_in_parent() noexcept {
  if (forks_open == 0 || --forks_open > 0) return;
  if (holds_making) making.mutex.unlock();
  holds_making = false;
}

void after_fork_in_child() noexcept {
  forks_open = 0;
  holds_making = false;
  new (&making.mutex) std::shared_timed_mutex;
  xi_after_fork_in_child();
  adopt_keyword_names();
}

MakingInterpreter::MakingInterpreter() noexcept {
  making.mutex.lock();
}
MakingInterpreter::~MakingInterpreter() {
  making.mutex.unlock();
}

bool forget_interpreter(PyInterpreterState* interpreter) noexcept {
  if (!interpreters || interpreter == PyInterpreterState_Main()) return false;
  ListLock lock;
  PyInterpreterState* next = PyInterpreterState_Next(interpreter);
  PyInterpreterState* before = PyInterpreterState_Head();
  if (before == interpreter) {
    interpreters->head = next;
    return true;
  }
  while (before && PyInterpreterState_Next(before) != interpreter) before = PyInterpreterState_Next(before);
  PyInterpreterState* volatile* field = before ? next_field(before, interpreter) : nullptr;
  if (field) *field = next;
  return before && PyInterpreterState_Next(before) == next;
}

}  // namespace boc::py
