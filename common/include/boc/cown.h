// A cown: the queue of requests for one value. The value itself is the backend's, which derives its payload from
// this class; the core never looks at it.
#pragma once

#include "boc/sync.h"

namespace boc {

struct Request;

// Invariants
//   C1  last is null exactly when no request is queued.
//   C2  A cown whose queue is not empty holds one reference on itself for the queue, and one for its group of
//       active readers while readers >= 2. The first scheduler takes it, the last releaser drops it.
//   C3  readers = 2 * (active readers) + (1 if a writer waits for them in next_writer).
//   C4  While strong_only is set, references are only made from references. So one who finds a single one left, its
//       own, is alone with the cown.
struct Cown {
  atomic<Request*> last{nullptr};         // the newest request (the tail of the MCS queue)
  atomic<Request*> next_writer{nullptr};  // the writer that the last active reader wakes
  atomic<uint32_t> readers{0};
  atomic<uint32_t> refs{1};
  Cown* next_dead = nullptr;  // link in the list of cowns to drop, once refs is 0
  // C4. Whoever enters the cown into a table, from which references can be made anew, clears it first, while it holds
  // a reference itself. Off by default: a backend that has no such tables, or minds this, turns it on.
  atomic<bool> strong_only{false};

  Cown() = default;
  Cown(const Cown&) = delete;
  Cown& operator=(const Cown&) = delete;

  // Relaxed: whoever takes a reference has one already.
  void ref() noexcept { refs.fetch_add(1, relaxed); }

  // True if this was the last reference: the caller must hand the cown to Backend::drop.
  [[nodiscard]] bool unref() noexcept {
    // Release and acquire are each other's partners: what every former owner did with the payload comes before
    // its destruction by the last one.
    if (!only_reference()) return refs.fetch_sub(1, acq_rel) == 1;
    refs.store(0, relaxed);
    return true;
  }

  // C4: the caller's reference is the last there is, and there will be no other. False if in doubt.
  // Acquire: partner of the unref() of the others; what they did, strong_only cleared among it, came before.
  bool only_reference() const noexcept { return refs.load(acquire) == 1 && strong_only.load(relaxed); }

  // Nobody holds it and nobody waits for it. Only a hint unless the caller excludes schedulers.
  bool idle() const noexcept { return last.load(acquire) == nullptr && readers.load(acquire) == 0; }

 protected:
  ~Cown() = default;
};

}  // namespace boc
