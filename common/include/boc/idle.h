// Who sleeps, who searches, and whom to wake: an event count with one rule of economy. A producer wakes one sleeper,
// and only if nobody is searching already; the last searcher that finds work wakes the next if there is more.
#pragma once

#include <vector>

#include "boc/sync.h"

namespace boc {

// Invariants
//   I1  sleeping = length of sleepers. Both change under the mutex; sleeping is read without it.
//   I2  A worker announces its sleep (I1), then looks at all queues again, then parks. A producer publishes work, then
//       looks at sleeping. Each has a full fence in between, so one of the two sees the other: no wake-up is lost.
//   I3  Whoever is taken from sleepers is unparked exactly once and counts as searching from then on. The sleeper takes
//       that permit before it does anything else: a permit left behind would end a later sleep while the worker is
//       still on the list, and the parker may be gone once its worker has ended.
//   I4  Who rests is woken by name only, never for work, and does not count as searching. For the rest as I3.
class IdleSet {
 public:
  // Room for so many sleepers, so that going to sleep allocates nothing. Before any of them runs; producers may be
  // at notify_one() already.
  void reserve(size_t workers);

  // After work was published. Wakes one sleeper if that is needed; true if it did.
  bool notify_one() noexcept;
  void notify_all() noexcept;

  // Nobody searches or runs anything: a hint, as it may change at once. With homes the resting count as workers too.
  bool all_asleep(size_t workers) const noexcept { return listed_.load(seq_cst) == workers; }

  void begin_search() noexcept { searching_.fetch_add(1, seq_cst); }
  // A searcher found work. True if it was the last one: producers trusted it to see what they published, so it must
  // look whether there is more and wake another worker for that.
  [[nodiscard]] bool end_search() noexcept;

  // A searcher found nothing: it is on the list of sleepers from here on.
  void announce_sleep(Parker& parker) noexcept;
  // It found work after all: leaves the list, and searches again. If someone is waking it meanwhile, it waits for the
  // permit, which is on its way (I3).
  void cancel_sleep(Parker& parker) noexcept;

  // The same for one that is not searching, nor to be found by notify_one() and notify_all() (I4).
  void announce_rest(Parker& parker) noexcept;
  void cancel_rest(Parker& parker) noexcept;
  // Wakes this one. False: it is not on the lists, as it is awake, or as somebody else is waking it.
  bool wake(Parker& parker) noexcept;

 private:
  Parker* take_one() noexcept;
  bool remove(std::vector<Parker*>& list, Parker& parker) noexcept;
  void count() noexcept;  // I1

  // Read by every producer: apart from what changes more often.
  alignas(64) atomic<uint32_t> sleeping_{0};
  atomic<uint32_t> searching_{0};
  alignas(64) std::mutex mutex_;
  std::vector<Parker*> sleepers_;
  std::vector<Parker*> resting_;
  atomic<uint32_t> listed_{0};  // both
};

}  // namespace boc
