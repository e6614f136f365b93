// Who is asking: the behavior or the thread on whose behalf code runs. Ownership belongs to these, never to an
// interpreter. One per thread (and, once behaviors can be suspended, per fiber).
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
  Cown* dead = nullptr;       // cowns to drop at the next moment when user code may run
  Cown* undropped = nullptr;  // cowns inside a cown that is being dropped
  bool dropping = false;

  Held* find(const Payload* payload) noexcept {
    for (Held& h : held) {
      if (h.payload == payload) return &h;
    }
    return nullptr;
  }
};

extern constinit thread_local Context* context_of_thread BOC_FAST_TLS;
Context& make_context() noexcept;

// The calling thread's.
inline Context& context() noexcept {
  Context* mine = context_of_thread;
  return mine ? *mine : make_context();
}

}  // namespace boc::py
