// Releasing a cown, and what readers add to it.
#include "grant.h"

namespace boc {
namespace {

// The request leaves the queue's end, or waits until whoever has queued behind it has said so (R2).
// Returns the status that decides what is handed on; READY or READ_OPEN: the queue is empty now. WAIT: it was never in.
uintptr_t leave_queue(Request& request, uintptr_t open, Outcome& outcome) noexcept {
  Cown& cown = *request.cown;
  uintptr_t status = request.status.load(acquire);
  if (status != open) return status;
  Request* expected = &request;
  // Release: the only edge to a later head, which runs without a predecessor (partner: the exchange in
  // acquire_chain). Relaxed on failure: the link brings its own acquire.
  if (cown.last.compare_exchange_strong(expected, nullptr, release, relaxed)) {
    if (cown.unref()) outcome.drop(&cown);  // C2
    return open;
  }
  spin_until([&] { return (status = request.status.load(acquire)) != open; });
  return status;
}

void release_writer(Request& request, Outcome& outcome) noexcept {
  Cown& cown = *request.cown;
  // Nobody but the queue knows the cown any more, and looked at after that, nobody has queued up while somebody did:
  // it ends here, alone with us (C4).
  if (cown.only_reference() && request.status.load(acquire) == Request::READY) {
    cown.last.store(nullptr, relaxed);
    cown.refs.store(0, relaxed);
    outcome.drop(&cown);
    return;
  }
  uintptr_t status = leave_queue(request, Request::READY, outcome);
  if (!Request::is_link(status)) return;
  Request& next = *Request::link_target(status);
  if (Request::links_reader(status)) {
    grant_readers(next, outcome);
  } else {
    grant(next, outcome);  // no reader can be active: this writer was
  }
}

void release_reader(Request& request, Outcome& outcome) noexcept {
  Cown& cown = *request.cown;
  // Nothing is handed on here: a linked reader was granted with this one, a linked writer waits in next_writer,
  // and a successor that found CLOSED has looked after itself.
  if (leave_queue(request, Request::READ_OPEN, outcome) == Request::WAIT) return;  // never queued
  // Release: this reader's use of the value comes before the writer's. Acquire: for the last one, which goes on
  // to hand over on behalf of all (partner: the same operation of the others).
  uint32_t old = cown.readers.fetch_sub(2, acq_rel);
  if (old == 3) {
    // To 0, not by subtraction: the writer that set the bit is taken over here and nobody else may see it.
    cown.readers.store(0, relaxed);
    Request* writer;
    spin_until([&] { return (writer = cown.next_writer.load(acquire)) != nullptr; });
    cown.next_writer.store(nullptr, relaxed);
    grant(*writer, outcome);
  }
  if (old <= 3 && cown.unref()) outcome.drop(&cown);  // C2: the group's reference
}

}  // namespace

void grant_readers(Request& first, Outcome& outcome) noexcept {
  Cown& cown = *first.cown;
  // Counted before anything else: a writer that arrives now must not see 0 and start.
  if (cown.readers.fetch_add(2, acq_rel) == 0) cown.ref();  // C2
  // Pass 1: how many readers follow, and does a writer end them? No behavior is resolved yet, so none of these
  // requests can go away. A member that is not published yet is waited for: skipping it would lose it.
  uint32_t more = 0;
  Request* writer = nullptr;
  for (Request* r = &first;;) {
    uintptr_t status;
    spin_until([&] { return (status = r->status.load(acquire)) != Request::WAIT; });
    if (status == Request::READY && r->status.compare_exchange_strong(status, Request::READ_OPEN, acq_rel, acquire)) {
      break;
    }
    BOC_INVARIANT(Request::is_link(status), "R1");
    if (!Request::links_reader(status)) {
      writer = Request::link_target(status);
      break;
    }
    r = Request::link_target(status);
    ++more;
  }
  if (more || writer) cown.readers.fetch_add(2 * more + (writer ? 1 : 0), acq_rel);
  if (writer) cown.next_writer.store(writer, release);  // partner: the acquire of the last reader
  // Pass 2: start them. The link is read before its owner is resolved: it may run and be gone at once.
  Request* r = &first;
  for (uint32_t i = 0; i <= more; ++i) {
    Request* next = i < more ? Request::link_target(r->status.load(relaxed)) : nullptr;
    r->active.store(true, release);
    grant(*r, outcome);
    r = next;
  }
}

bool try_write(Request& writer) noexcept {
  Cown& cown = *writer.cown;
  if (cown.readers.load(acquire) == 0) return true;  // partner: the last reader's fetch_sub
  if (cown.readers.fetch_add(1, acq_rel) == 0) {
    cown.readers.store(0, relaxed);  // they left in between; nobody behind this writer can count
    return true;
  }
  cown.next_writer.store(&writer, release);  // partner: the acquire of the last reader
  return false;
}

void release_requests(Behavior& behavior, Outcome& outcome) noexcept {
  // The result first: it is what others most likely wait for.
  if (Request* result = behavior.result_request()) release_writer(*result, outcome);
  for (Request& r : behavior.acquired()) {
    if (!r.duplicate()) release_request(r, outcome);
  }
}

void release_request(Request& request, Outcome& outcome) noexcept {
  if (request.reads()) {
    release_reader(request, outcome);
  } else {
    release_writer(request, outcome);
  }
}

}  // namespace boc
