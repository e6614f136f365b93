// Who is asking: the behavior or the thread on whose behalf code runs. Ownership belongs to these, never to an
// interpreter. One per thread, and one for each further strand of a worker.
#pragma once

#include <vector>

#include "payload.h"

namespace boc::py {

struct NoticeUpdate;

// A cown that a thread holds outside behaviors.
struct Held {
  Payload* payload;
  Turn* turn;
  uint32_t depth;  // how often it was acquired; released when it falls to 0
  bool reads;
};

struct Context {
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  Worker* worker = nullptr;
  PyBehavior* current = nullptr;
  Scope* scope = nullptr;  // of the current behavior, or that of a `with scope()` inside it
  Batch* batch = nullptr;
  std::vector<Held> held;      // only outside behaviors
  std::vector<Scope*> scopes;  // entered and not left yet, the inner ones last
  unsigned shard = 0;          // which of a site's counters this thread uses
  atomic<Site*> running{nullptr};
  atomic<bool> waiting{false};  // the current behavior waits for a message
  Cown* dead = nullptr;         // cowns to drop at the next moment when user code may run
  Cown* undropped = nullptr;    // cowns inside a cown that is being dropped
  bool dropping = false;
  PyObject* notices = nullptr;     // strong or null: the noticeboard as the current behavior sees it
  NoticeUpdate* update = nullptr;  // the update of the noticeboard that this thread is in the middle of
  const void* base = nullptr;      // in the stack: whatever the current behavior calls is below
  unsigned carrying = 0;           // a value is being copied or encoded: user code in there must not wait
  // Of the context in which the main thread runs pinned behaviors: what the last one raised (strong, or null), and whether
  // whoever pumps raises every error then, or only those that are no Exception.
  PyObject* raised = nullptr;
  bool raises_all = false;

  // What another context of this thread, which ends, has still to drop.
  void adopt_dead(Context& other) noexcept {
    while (Cown* next = other.dead) {
      other.dead = next->next_dead;
      next->next_dead = dead;
      dead = next;
    }
  }

  Held* find(const Payload* payload) noexcept {
    for (Held& h : held) {
      if (h.payload == payload) return &h;
    }
    return nullptr;
  }
};

// What a thread, or a behavior, had open when it ended. Ending that runs Python code, which the end of a thread cannot:
// others do it, when they wait for something.
struct LeftBehind {
  std::vector<Held> held;
  std::vector<Scope*> scopes;
  Batch* batch = nullptr;
};

// Moves what is open from the context to the list of what threads left behind.
void leave_behind(Context& context) noexcept;
// Takes the list; mostly, and then cheaply, it is empty.
std::vector<LeftBehind> take_left_behind() noexcept;
void left_behind_after_fork() noexcept;

extern constinit thread_local Context* context_of_thread BOC_FAST_TLS;
// Whether a notice_update() waits for this thread: it has the turn, in whatever interpreter it is just now, or it carries
// a value for a thread that has. Another update could wait for that one then.
extern constinit thread_local bool update_waits_for_thread;
Context& make_context() noexcept;

// The calling thread's.
inline Context& context() noexcept {
  Context* mine = context_of_thread;
  return mine ? *mine : make_context();
}

// While it lives the thread carries a value on behalf of somebody who holds its cown: what is called meanwhile (a
// __reduce__, say) would wait for that one.
class Carrying {
 public:
  Carrying() noexcept : context_(context()) { ++context_.carrying; }
  ~Carrying() { --context_.carrying; }
  Carrying(const Carrying&) = delete;
  Carrying& operator=(const Carrying&) = delete;

 private:
  Context& context_;
};

}  // namespace boc::py
