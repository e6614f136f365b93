// Two-phase locking over queues of readers and writers: the steps prepare, acquire, publish, resolve and release of
// a behavior's life. Pure protocol: it knows neither workers nor backends.
#pragma once

#include <span>

#include "boc/behavior.h"

namespace boc {

// Sorts the requests by cown, marks duplicates (the strongest mode wins) and sets the countdown. Call once, before
// schedule(), on the thread that owns the behavior.
void prepare(Behavior& behavior) noexcept;

// Installs the result's request: the cown is known to nobody else, so a plain store holds it for the behavior.
void hold_result(Behavior& behavior, Cown* result) noexcept;

// Queues one prepared behavior on all its cowns. Behaviors that hold all their cowns now are added to
// outcome.ready. Other schedulers may spin on this one, so nothing in here allocates, throws or calls out.
void schedule(Behavior& behavior, Outcome& outcome) noexcept;

// Queues several prepared behaviors in one step, in the order given: nothing of other schedulers gets in between on
// any shared cown. `chains` is scratch space for at least the sum of their request counts; it is filled before the
// window opens.
void schedule_batch(std::span<Behavior* const> behaviors, std::span<Request*> chains, Outcome& outcome) noexcept;

// Queues a prepared behavior of exactly one request only if that cown is free. False: nothing happened. True: it is
// queued, and in outcome.ready unless readers came in between.
bool try_schedule(Behavior& behavior, Outcome& outcome) noexcept;

// Hands the cown of one granted request to the next. The request may be destroyed afterwards.
void release_request(Request& request, Outcome& outcome) noexcept;

// Hands every cown (the result's too) to its next request. The behavior may be destroyed afterwards.
void release_requests(Behavior& behavior, Outcome& outcome) noexcept;

}  // namespace boc
