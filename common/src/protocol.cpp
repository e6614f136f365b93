// Scheduling: prepare -> acquire -> publish -> resolve. Releasing is in release.cpp.
// docs/internals/life-of-a-behavior.md shows where these steps stand in the whole.
#include "boc/protocol.h"

#include <algorithm>
#include <functional>

#include "grant.h"

namespace boc {
namespace {

bool before(const Request& a, const Request& b) noexcept {
  if (a.cown != b.cown) return std::less<>{}(a.cown, b.cown);
  return !a.reads() && b.reads();  // a writer first, so that the strongest mode stands for its duplicates
}

void publish(Request& last) noexcept {
  last.status.store(Request::READY, release);
}

// Queues the linked requests first..last (one, unless a batch has several on this cown) in one exchange. True if the
// first need not wait for a predecessor. A behavior's only request, `alone`, is published on the way: it may be
// granted, run and be gone as soon as it is linked.
bool acquire_chain(Request& first, Request& last, bool alone = false) noexcept {
  Cown& cown = *first.cown;
  // Acquire: see what the predecessor's scheduler wrote, and what the last releaser left (partner: the CAS to null
  // in release.cpp). Release: whoever queues up behind sees this request whole.
  Request* previous = cown.last.exchange(&last, acq_rel);
  if (previous == nullptr) {
    cown.ref();  // C2: the queue's reference
    if (alone) publish(last);
    return true;
  }
  // R1: until the predecessor is published its scheduler may still be queueing elsewhere; linking now could
  // order two behaviors differently on two cowns. So could publishing, for those who queue up behind.
  uintptr_t status;
  spin_until([&] { return (status = previous->status.load(acquire)) != Request::WAIT; });
  if (alone) publish(last);
  if (!previous->reads()) {
    previous->status.store(first.as_link(), release);  // only a writer's successor ever writes to it
    return false;
  }
  uintptr_t expected = Request::READY;
  // Release on success: the releaser or walker that follows the link sees this request (acquire loads there).
  if (previous->status.compare_exchange_strong(expected, first.as_link(), acq_rel, acquire)) return false;
  BOC_INVARIANT(expected == Request::READ_OPEN, "R1");
  previous->status.store(Request::CLOSED, release);
  return true;
}

// What a granted position means: a group of readers starts; a writer starts unless readers are still active. Returns
// how many of its behavior's cowns it has by that (0 or 1) and leaves it to the caller to count them down.
uint32_t grant_first(Request& first, Outcome& outcome) noexcept {
  if (!first.reads()) return try_write(first) && accepts(first, outcome) ? 1 : 0;
  grant_readers(first, outcome);
  return 0;
}

// The frequent case of schedule(). Nobody can count such a behavior down while its scheduler is at work, so that needs
// no count of its own (B1).
void schedule_single(Behavior& behavior, Outcome& outcome) noexcept {
  Request& request = behavior.requests[0];
  behavior.countdown.store(1, relaxed);  // released by the exchange
  if (acquire_chain(request, request, true) && grant_first(request, outcome)) outcome.ready.push(&behavior);
}

}  // namespace

Request* Behavior::find(const Cown* cown) noexcept {
  auto all = acquired();
  auto at = std::lower_bound(all.begin(), all.end(), cown,
                             [](const Request& r, const Cown* c) { return std::less<const Cown*>{}(r.cown, c); });
  return at != all.end() && at->cown == cown ? &*at : nullptr;
}

void prepare(Behavior& behavior) noexcept {
  auto all = behavior.acquired();
  uint32_t distinct = behavior.request_count;
  if (all.size() > 1) {
    if (!std::is_sorted(all.begin(), all.end(), before)) std::sort(all.begin(), all.end(), before);
    for (size_t i = 1; i < all.size(); ++i) {
      if (all[i].cown == all[i - 1].cown) {
        all[i].flags |= Request::DUPLICATE;
        --distinct;
      }
    }
  }
  behavior.countdown.store(distinct + 1, relaxed);  // B1; private until acquire()
}

void hold_result(Behavior& behavior, Cown* result) noexcept {
  Request* request = behavior.requests + behavior.request_count;
  new (request) Request(result, &behavior, Request::RESULT);
  request->status.store(Request::READY, relaxed);
  result->last.store(request, relaxed);
  result->refs.store(result->refs.load(relaxed) + 1, relaxed);  // C2
  behavior.has_result = true;
}

void schedule(Behavior& behavior, Outcome& outcome) noexcept {
  auto all = behavior.acquired();
  if (all.size() == 1 && behavior.countdown.load(relaxed) == 2) return schedule_single(behavior, outcome);
  uint32_t done = 1;  // the scheduler's own count (B1), and what it is granted: one step down for all
  for (Request& r : all) {
    if (!r.duplicate()) r.granted = acquire_chain(r, r);
  }
  for (Request& r : all) {
    if (!r.duplicate()) publish(r);
  }
  for (Request& r : all) {
    if (!r.duplicate() && r.granted) done += grant_first(r, outcome);
  }
  resolve(behavior, done, outcome);
}

void schedule_batch(std::span<Behavior* const> behaviors, std::span<Request*> chains, Outcome& outcome) noexcept {
  size_t count = 0;
  for (Behavior* b : behaviors) {
    for (Request& r : b->acquired()) {
      if (!r.duplicate()) chains[count++] = &r;
    }
  }
  chains = chains.first(count);
  // By cown, and on one cown in the order of the members: they were collected in that order, each behavior has a
  // cown once, and the sort is stable.
  std::stable_sort(chains.begin(), chains.end(),
                   [](const Request* a, const Request* b) { return std::less<>{}(a->cown, b->cown); });
  auto end_of_chain = [&](size_t i) {
    while (i + 1 < count && chains[i + 1]->cown == chains[i]->cown) ++i;
    return i;
  };
  for (size_t i = 0; i + 1 < count; ++i) {
    if (chains[i]->cown == chains[i + 1]->cown) chains[i]->status.store(chains[i + 1]->as_link(), relaxed);  // R3
  }
  for (size_t i = 0, end; i < count; i = end + 1) {
    end = end_of_chain(i);
    chains[i]->granted = acquire_chain(*chains[i], *chains[end]);
  }
  for (size_t i = 0, end; i < count; i = end + 1) {
    end = end_of_chain(i);
    publish(*chains[end]);
  }
  for (size_t i = 0, end; i < count; i = end + 1) {
    end = end_of_chain(i);
    if (chains[i]->granted && grant_first(*chains[i], outcome)) resolve(*chains[i]->behavior, 1, outcome);
  }
  for (Behavior* b : behaviors) resolve(*b, 1, outcome);
}

bool try_schedule(Behavior& behavior, Outcome& outcome) noexcept {
  Request& request = behavior.requests[0];
  Cown& cown = *request.cown;
  if (!request.reads() && !cown.idle()) return false;
  Request* expected = nullptr;
  // Orders as in acquire_chain().
  if (!cown.last.compare_exchange_strong(expected, &request, acq_rel, relaxed)) return false;
  cown.ref();  // C2
  publish(request);
  resolve(behavior, 1 + grant_first(request, outcome), outcome);
  return true;
}

}  // namespace boc
