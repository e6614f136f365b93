// What CPython, and this package, take for a thread's own and what belongs to a strand: its thread state, who is asking,
// and how values are carried just now.
#pragma once

#include "boc/strands.h"
#include "context.h"
#include "xidata.h"

namespace boc::py {

struct StrandState final : StrandData {
  PyThreadState* state = nullptr;  // while others run
  Context* context = nullptr;
  std::unique_ptr<Context> own;  // null for the root, which has its thread's
  Transfer transfer = Transfer::move;
};

// On the strand's thread. False: no memory.
bool make_strand_state(Worker& worker, Strand& strand) noexcept;
void leave_strand_state(Strand& strand) noexcept;
void enter_strand_state(Strand& strand) noexcept;
void end_strand_state(Worker& worker, Strand& strand) noexcept;

}  // namespace boc::py
