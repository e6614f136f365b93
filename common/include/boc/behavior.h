// A behavior: a body together with its requests. One allocation holds the header, the backend's part and the
// requests; the backend decides the layout and passes the span of requests to the constructor.
#pragma once

#include <cstddef>
#include <span>

#include "boc/cown.h"

namespace boc {

struct Behavior;
class Scope;
class Waiter;

// One behavior's place in one cown's queue.
//
// status, by whom it is changed, and with which order:
//   WAIT      -> READY       publish() by its scheduler (release; partner: the acquire loads of successors and walkers)
//   READY     -> link        the successor, when it queues up (release store, or CAS where READ_OPEN competes)
//   READY     -> READ_OPEN   whoever grants a group of readers, on its last member (CAS)
//   READ_OPEN -> CLOSED      a successor that found the group active (its CAS failed; release store)
// A link is the successor's address, with bit 0 set if the successor reads.
//
// Invariants
//   R1  While status is WAIT nobody queues behind the request: its scheduler has not finished acquire() on all cowns.
//       A behavior's only request is published as soon as its predecessor is, before it is linked.
//   R2  A request is destroyed only after release_request() returned, and that returns only when no successor can
//       still write to it (the queue ends here, or the link or CLOSED has appeared).
//   R3  Links point from older to newer; members of one batch on one cown are linked before they are queued.
struct Request {
  enum : uintptr_t { WAIT = 0, READY = 2, READ_OPEN = 4, CLOSED = 6 };
  enum Flag : uint32_t {
    READ = 1,       // shares the cown with other readers
    DUPLICATE = 2,  // another request of the same behavior stands for this one; never queued
    RESULT = 8,     // the behavior's own result: born queued and granted, never acquired
  };

  Cown* cown;
  Behavior* behavior;
  atomic<uintptr_t> status;
  uint32_t flags;  // as prepare() left them: blocks() reads them on other threads
  // Used inside schedule(), by its thread alone: the position in the queue gives the cown at once.
  bool granted = false;
  // Its group of readers has been granted. Set before the behavior is resolved (release; partner: blocks()).
  atomic<bool> active{false};

  Request(Cown* c, Behavior* b, uint32_t f) noexcept : cown(c), behavior(b), status(WAIT), flags(f) {}

  // Sorting moves requests, as records, before the first of them is queued: no address has been given away then.
  Request(Request&& other) noexcept : Request(other.cown, other.behavior, other.flags) {}
  Request& operator=(Request&& other) noexcept {
    cown = other.cown;
    flags = other.flags;
    return *this;
  }

  bool reads() const noexcept { return flags & READ; }
  bool duplicate() const noexcept { return flags & DUPLICATE; }

  uintptr_t as_link() noexcept { return reinterpret_cast<uintptr_t>(this) | (reads() ? 1 : 0); }
  static bool is_link(uintptr_t s) noexcept { return s > CLOSED; }
  static bool links_reader(uintptr_t s) noexcept { return s & 1; }
  static Request* link_target(uintptr_t s) noexcept {
    return reinterpret_cast<Request*>(s & ~static_cast<uintptr_t>(1));
  }
};
static_assert(alignof(Request) >= 8, "links use the low bits of a request's address");

// Where a behavior goes when it holds all its cowns.
enum class Lane : uint8_t {
  WORKERS,  // any worker may run it
  MAIN,     // the one thread that empties the main lane runs it
  WAITER,   // nobody runs it: a thread outside the workers waits to hold the cowns itself
};

// Invariants
//   B1  countdown = (distinct cowns not yet held) + 1 while its scheduler is at work, unless it needs a single cown; at
//       0 it is dispatched, once.
//   B2  next belongs to the one list (lane, ready list, batch) that the behavior is in.
//   B3  From dispatch to release its requests are held; nobody but the thread that runs it touches the rest.
struct Behavior {
  Behavior* next = nullptr;
  Scope* scope = nullptr;    // where it is counted; null for waiters, which nobody waits for
  Waiter* waiter = nullptr;  // set for Lane::WAITER
  Request* requests = nullptr;
  uint32_t request_count = 0;  // without the result's
  atomic<uint32_t> countdown{1};
  Lane lane = Lane::WORKERS;
  bool has_result = false;  // requests[request_count] is then the result's
  // Where it was last sent (Backend::place), written by its dispatcher before it is queued. Only with homes.
  int16_t home = -1;   // index of a worker, -1: anywhere
  bool fixed = false;  // P1
  bool heavy = false;  // P2

  Behavior() = default;
  Behavior(const Behavior&) = delete;
  Behavior& operator=(const Behavior&) = delete;

  std::span<Request> acquired() noexcept { return {requests, request_count}; }
  Request* result_request() noexcept { return has_result ? requests + request_count : nullptr; }

  // The request through which the behavior holds `cown`, or null. Only after prepare(), which sorts them.
  Request* find(const Cown* cown) noexcept;

 protected:
  ~Behavior() = default;
};

// It is next in line: its header, and what lies behind that in its block.
inline void prefetch_behavior(const Behavior& behavior) noexcept {
  const auto* line = reinterpret_cast<const char*>(&behavior);
  for (int i = 0; i < 4; ++i) prefetch(line + 64 * i);
}

// Lists through Behavior::next and Cown::next_dead: nothing on the way of a behavior allocates.
struct BehaviorList {
  Behavior* first = nullptr;
  Behavior* last = nullptr;

  bool empty() const noexcept { return first == nullptr; }
  void push(Behavior* b) noexcept {
    b->next = nullptr;
    (last ? last->next : first) = b;
    last = b;
  }
  Behavior* pop() noexcept {
    Behavior* b = first;
    if (b) {
      first = b->next;
      if (!first) last = nullptr;
      b->next = nullptr;
    }
    return b;
  }
  void append(BehaviorList& other) noexcept {
    if (other.empty()) return;
    (last ? last->next : first) = other.first;
    last = other.last;
    other = {};
  }
};

// What a step of the protocol leaves to do once it is out of its critical window: behaviors that hold all
// their cowns now, requests that came too late, and cowns that nobody refers to any longer.
struct Outcome {
  BehaviorList ready;
  Request* given_up = nullptr;  // of waiters: granted, but not wanted any more (V2); through Waiter::Share::next
  Cown* dead = nullptr;

  void drop(Cown* c) noexcept {
    c->next_dead = dead;
    dead = c;
  }
};

}  // namespace boc
