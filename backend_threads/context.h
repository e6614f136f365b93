// Who is asking: the behavior or the thread on whose behalf code runs. Ownership belongs to these, never to
// an interpreter. One per thread (and, once behaviors can be suspended, per fiber).
#pragma once

#include <vector>

#include "payload.h"

namespace boc::py {

// A cown that a thread holds outside behaviors.
struct Held {
  Payload* payload;
  Turn* turn;
  uint32_t depth;  // how often it was acquired; released when it falls to 0
  bool reads;
};

struct Context {
  Worker* worker = nullptr;
  PyBehavior* current = nullptr;
  Scope* scope = nullptr;  // of the current behavior, or that of a `with scope()` inside it
  Batch* batch = nullptr;
  std::vector<Held> held;  // only outside behaviors
  unsigned shard = 0;      // which of a site's counters this thread uses
  atomic<CodeInfo*> running{nullptr};
  Cown* dead = nullptr;  // cowns to drop at the next moment when user code may run

  Held* find(const Payload* payload) noexcept {
    for (Held& h : held) {
      if (h.payload == payload) return &h;
    }
    return nullptr;
  }
};

// The calling thread's. Never null.
Context& context() noexcept;

}  // namespace boc::py
