// Who sleeps, who searches, and whom to wake: an event count with one rule of economy. A producer wakes one sleeper,
// and only if nobody is searching already; a searcher that finds work, and is the last one, wakes the next.
#pragma once

#include <vector>

#include "boc/sync.h"

namespace boc {

// Invariants
//   I1  sleeping = length of sleepers. Both change under the mutex; word is read without it.
//   I2  A worker announces its sleep (I1), then looks at all queues again, then parks. A producer publishes work, then
//       looks at word. Each has a full fence in between, so one of the two sees the other: no wake-up is lost.
//   I3  Whoever is taken from sleepers is unparked exactly once and counts as searching from then on.
class IdleSet {
 public:
  // Room for so many sleepers, so that going to sleep allocates nothing. Before any of them runs.
  void reserve(size_t workers) { sleepers_.reserve(workers); }

  // After work was published. Wakes one sleeper if that is needed; true if it did.
  bool notify_one() noexcept;
  void notify_all() noexcept;

  void begin_search() noexcept { searching_.fetch_add(1, seq_cst); }
  // A searcher found work: the last one wakes another worker, as there may be more of it.
  void end_search_with_work() noexcept;

  // A searcher found nothing: it is on the list of sleepers from here on.
  void announce_sleep(Parker& parker) noexcept;
  // It found work after all: leaves the list, and searches again. If someone has woken it meanwhile, the permit is
  // left in the parker for its next sleep (which then ends at once; nothing is lost by that).
  void cancel_sleep(Parker& parker) noexcept;

 private:
  Parker* take_one() noexcept;

  std::mutex mutex_;
  std::vector<Parker*> sleepers_;
  atomic<uint32_t> sleeping_{0};
  atomic<uint32_t> searching_{0};
};

}  // namespace boc
