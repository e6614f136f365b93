#include "strand_state.h"

#include <dlfcn.h>

#include <new>

#include "boc/worker.h"
#include "home.h"
#include "site.h"

namespace boc::py {
namespace {

// Untouched, a stack costs addresses only. What C code may use of it before CPython raises RecursionError depends on the
// version: a count of calls in 3.12 and 3.13 (tests of ours and the reference's overflow 1 MB at 1,200), bytes from 3.14
// on. Before 3.12 a thread has one thread state: PyGILState_Ensure(), which every callback from C uses, looks for that.
#if PY_VERSION_HEX >= 0x030C0000
constexpr size_t FIBER_STACK = size_t{1} << 20;
#endif
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030E0000
constexpr int C_CALLS = 600;
#endif

#if PY_VERSION_HEX >= 0x030E0000
using SetStackProtection = int (*)(PyThreadState*, void*, size_t);

// It came in a bugfix release of 3.14. Without it 3.14 would take the worker's stack for the fiber's.
SetStackProtection set_stack_protection() noexcept {
  static const auto found =
      reinterpret_cast<SetStackProtection>(dlsym(RTLD_DEFAULT, "PyUnstable_ThreadState_SetStackProtection"));
  return found;
}
#endif

bool limit_recursion(PyThreadState* state, Strand& strand) noexcept {
  if (!strand.is_fiber()) return true;
#if PY_VERSION_HEX >= 0x030E0000
  Fiber& fiber = strand.fiber();
  if (set_stack_protection()(state, const_cast<void*>(fiber.low()), fiber.size()) == 0) return true;
  PyErr_Clear();
  return false;
#elif PY_VERSION_HEX >= 0x030C0000
  state->c_recursion_remaining = C_CALLS;
  return true;
#else
  (void)state;
  return false;
#endif
}

StrandState& state_of(Strand& strand) noexcept {
  return static_cast<StrandState&>(*strand.data);
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

bool make_strand_state(Worker& worker, Strand& strand) noexcept try {
  Strand& current = worker.strands().current();
  if (!current.data) current.data = std::make_unique<StrandState>();  // the root
  auto made = std::make_unique<StrandState>();
  made->own = std::make_unique<Context>();
  made->context = made->own.get();
  made->context->worker = &worker;
  made->context->shard = worker.index() + 1;
  register_context(*made->context);
  made->state = PyThreadState_New(home().interpreter);
  if (made->state && limit_recursion(made->state, strand)) {
    strand.data = std::move(made);
    return true;
  }
  unregister_context(*made->context);
  return false;
} catch (const std::bad_alloc&) {
  return false;
}

void leave_strand_state(Strand& strand) noexcept {
  StrandState& s = state_of(strand);
  s.context = &context();
  s.transfer = exchange_transfer(Transfer::move);
  s.state = PyEval_SaveThread();
}

void enter_strand_state(Strand& strand) noexcept {
  StrandState& s = state_of(strand);
  PyEval_RestoreThread(s.state);
  context_of_thread = s.context;
  exchange_transfer(s.transfer);
}

void end_strand_state(Strand& strand) noexcept {
  StrandState& s = state_of(strand);
  PyThreadState* state = PyThreadState_Get();
  PyThreadState_Clear(state);  // may run destructors
  unregister_context(*s.own);
  PyThreadState_DeleteCurrent();
}

}  // namespace boc::py
