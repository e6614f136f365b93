// Finds out whether something waits for what a thread holds itself: the one way to wait for ever, told at once.
#include <unordered_set>
#include <vector>

#include "boc/scheduler.h"

namespace boc {
namespace {

// Behaviors that cannot go on before the holder releases. They, and all that is queued behind them, stay where they
// are for the time of the walk; nothing else may be touched, as it could be gone the next moment.
struct Walk {
  std::unordered_set<Behavior*> seen;
  std::vector<Behavior*> open;

  void add(Behavior* b) {
    if (seen.insert(b).second) open.push_back(b);
  }

  // Everything queued behind a writer waits for it.
  void follow_chain(Request* r) {
    for (;;) {
      add(r->behavior);
      uintptr_t status = r->status.load(acquire);
      if (!Request::is_link(status)) return;
      r = Request::link_target(status);
    }
  }

  // A reader does not keep the readers behind it waiting: they may run and end at any time. A writer right behind it
  // waits for it, and so does the writer that waits for the group of active readers that it is in.
  void follow_reader(Request& request) {
    uintptr_t status = request.status.load(acquire);
    if (Request::is_link(status) && !Request::links_reader(status)) follow_chain(Request::link_target(status));
    if (!request.active.load(acquire)) return;
    if (Request* writer = request.cown->next_writer.load(acquire)) follow_chain(writer);
  }

  // Given up and released: nobody waits for it (V3).
  static bool passed_on(Request& request) {
    const Behavior& behavior = *request.behavior;
    return behavior.lane == Lane::WAITER && behavior.waiter->shares && Waiter::share_of(request).released;
  }

  void follow(Request& request) {
    if (request.duplicate() || passed_on(request)) return;
    if (request.reads()) {
      follow_reader(request);
    } else {
      follow_chain(&request);
    }
  }
};

}  // namespace

bool Scheduler::blocks(Behavior& holder, bool (*reaches)(Behavior& waiting, void* argument), void* argument) {
  std::lock_guard guard(giving_up_);
  Walk walk;
  walk.add(&holder);
  while (!walk.open.empty()) {
    Behavior* b = walk.open.back();
    walk.open.pop_back();
    if (b != &holder && reaches(*b, argument)) return true;
    for (Request& r : b->acquired()) walk.follow(r);
    if (Request* result = b->result_request()) walk.follow(*result);
  }
  return false;
}

}  // namespace boc
