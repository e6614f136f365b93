#include "thread_state.h"

#include <dlfcn.h>
#include <pthread.h>

#include "boc/worker.h"
#include "context.h"

namespace boc::py {
namespace {

// As much as threads have: what fits into the stack of a worker's thread must fit into a fiber's. Untouched, it costs
// addresses only. What C code may use of it before CPython raises RecursionError depends on the version: a count of calls in
// 3.12 and 3.13 (1 MB overflows at 1,200), bytes from 3.14 on. Before 3.12 a thread has one thread state:
// PyGILState_Ensure(), which every callback from C uses, looks for that.
#if PY_VERSION_HEX >= 0x030C0000
constexpr size_t FIBER_STACK = size_t{8} << 20;
#endif
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030E0000
constexpr int C_CALLS_PER_MB = 600;
#endif

#if PY_VERSION_HEX >= 0x030E0000
struct Bounds {
  void* low = nullptr;
  size_t size = 0;
};

// Of the calling thread's own stack; nothing if it is too small for CPython to accept, or unknown.
Bounds bounds_of_thread() noexcept {
  constexpr size_t LEAST = size_t{256} << 10;
  Bounds found;
#ifdef __GLIBC__
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return {};
  size_t guard = 0;
  pthread_attr_getguardsize(&attributes, &guard);
  const bool known = pthread_attr_getstack(&attributes, &found.low, &found.size) == 0 && found.size > LEAST + guard;
  pthread_attr_destroy(&attributes);
  if (!known) return {};
  found.low = static_cast<char*>(found.low) + guard;
  found.size -= guard;
#endif
  return found;
}

using SetStackProtection = int (*)(PyThreadState*, void*, size_t);

// It came in a bugfix release of 3.14. Without it 3.14 would take the worker's stack for the fiber's.
SetStackProtection set_stack_protection() noexcept {
  static const auto found =
      reinterpret_cast<SetStackProtection>(dlsym(RTLD_DEFAULT, "PyUnstable_ThreadState_SetStackProtection"));
  return found;
}
#endif

// Left alone, CPython asks for the bounds of the thread's stack at the state's first use, and on the main thread the system
// then reads the list of all mappings: milliseconds, once there are thousands of fibers.
void fit_to_thread([[maybe_unused]] PyThreadState* state) noexcept {
#if PY_VERSION_HEX >= 0x030E0000
  static thread_local const Bounds own = bounds_of_thread();
  if (own.size && set_stack_protection()) set_stack_protection()(state, own.low, own.size);
#endif
}

void fit_to_fiber([[maybe_unused]] PyThreadState* state, [[maybe_unused]] const Fiber& fiber) noexcept {
#if PY_VERSION_HEX >= 0x030E0000
  set_stack_protection()(state, const_cast<void*>(fiber.low()), fiber.size());
#elif PY_VERSION_HEX >= 0x030C0000
  state->c_recursion_remaining = C_CALLS_PER_MB * static_cast<int>(fiber.size() >> 20);
#endif
}

}  // namespace

size_t fiber_stack_bytes() noexcept {
#if PY_VERSION_HEX >= 0x030E0000
  return set_stack_protection() ? FIBER_STACK : 0;
#elif PY_VERSION_HEX >= 0x030C0000
  return FIBER_STACK;
#else
  return 0;
#endif
}

PyThreadState* new_thread_state(PyInterpreterState* interpreter, Strand& strand) noexcept {
  PyThreadState* state = PyThreadState_New(interpreter);
  if (!state) return nullptr;
  if (strand.fiber().owns_stack()) {
    fit_to_fiber(state, strand.fiber());
  } else {
    fit_to_thread(state);
  }
  return state;
}

PyThreadState* new_thread_state(PyInterpreterState* interpreter) noexcept {
  const Context* mine = context_of_thread;
  if (mine && mine->worker) return new_thread_state(interpreter, mine->worker->strands().current());
  PyThreadState* state = PyThreadState_New(interpreter);
  if (state) fit_to_thread(state);
  return state;
}

}  // namespace boc::py
