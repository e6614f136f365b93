// Steps that scheduling and releasing share: giving a cown to a group of readers or to a writer, and counting down.
#pragma once

#include "boc/protocol.h"
#include "boc/waiter.h"

namespace boc {

// One or more of the behavior's cowns are its own now; at zero it is ready. Release: what led to this grant comes
// before the body; the acquire of whoever reaches zero is the partner.
inline void resolve(Behavior& behavior, uint32_t count, Outcome& outcome) noexcept {
  // Nobody else can count down any more if just `count` is left: the read-modify-write is not needed.
  if (behavior.countdown.load(acquire) == count || behavior.countdown.fetch_sub(count, acq_rel) == count) {
    outcome.ready.push(&behavior);
  }
}

// The request's behavior takes the cown. False: it is a waiter's that has given up, and settle() passes it
// on.
inline bool accepts(Request& request, Outcome& outcome) noexcept {
  if (request.behavior->lane != Lane::WAITER) return true;
  return request.behavior->waiter->accepts(request, outcome);
}

// One request has its cown.
inline void grant(Request& request, Outcome& outcome) noexcept {
  if (accepts(request, outcome)) resolve(*request.behavior, 1, outcome);
}

// Starts the waiting reader `first` and all readers linked behind it, and announces a writer that follows them.
void grant_readers(Request& first, Outcome& outcome) noexcept;

// A writer at the head of the queue: true if it may run now; otherwise the last active reader will resolve it.
bool try_write(Request& writer) noexcept;

}  // namespace boc
