#include "strand_state.h"

#include <new>

#include "boc/worker.h"
#include "home.h"
#include "site.h"
#include "thread_state.h"

namespace boc::py {
namespace {

StrandState& state_of(Strand& strand) noexcept {
  return static_cast<StrandState&>(*strand.data);
}

}  // namespace

bool make_strand_state(Worker& worker, Strand& strand) noexcept try {
  Strand& current = worker.strands().current();
  if (!current.data) current.data = std::make_unique<StrandState>();  // the root
  auto made = std::make_unique<StrandState>();
  made->own = std::make_unique<Context>();
  made->context = made->own.get();
  made->context->worker = &worker;
  made->context->shard = worker.index() + 1;
  register_context(*made->context);
  made->state = new_thread_state(home().interpreter, strand);
  if (made->state) {
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

void end_strand_state(Worker& worker, Strand& strand) noexcept {
  StrandState& s = state_of(strand);
  PyThreadState* state = PyThreadState_Get();
  PyThreadState_Clear(state);  // may run destructors
  // Cowns that these have dropped last: the root's next.
  state_of(worker.strands().root()).context->adopt_dead(*s.own);
  unregister_context(*s.own);
  PyThreadState_DeleteCurrent();
}

}  // namespace boc::py
