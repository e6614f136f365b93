// What a worker counts. Written by that worker alone (relaxed stores, no read-modify-write), read by anyone.
#pragma once

#include "boc/sync.h"

namespace boc {

class Counter {
 public:
  void add(uint64_t n = 1) noexcept { value_.store(value_.load(relaxed) + n, relaxed); }
  uint64_t get() const noexcept { return value_.load(relaxed); }
  void take_back() noexcept { value_.store(value_.load(relaxed) - 1, relaxed); }
  void reset() noexcept { value_.store(0, relaxed); }

 private:
  atomic<uint64_t> value_{0};
};

struct WorkerStats {
  Counter executed;         // behaviors run here
  Counter cancelled;        // of these, dropped before they began
  Counter refused;          // behaviors that turned out to belong elsewhere, and were sent there
  Counter scheduled;        // behaviors that became ready through this worker
  Counter from_next;        // taken from the next slot
  Counter from_queue;       // taken from the own queue
  Counter from_injector;    // taken from the injector
  Counter stolen;           // taken from other workers
  Counter stolen_heavy;     // of these, heavy ones of workers that were stuck
  Counter streaks_cut;      // times the next slot had to go behind the queue
  Counter steal_attempts;   // other workers looked at
  Counter steal_failures;   // ... without finding anything
  Counter parked;           // sleeps
  Counter parks_cancelled;  // sleeps called off because work appeared
  Counter wakes;            // other workers woken

  void reset() noexcept {
    for (Counter* c :
         {&executed, &cancelled, &refused, &scheduled, &from_next, &from_queue, &from_injector, &stolen, &stolen_heavy,
          &streaks_cut, &steal_attempts, &steal_failures, &parked, &parks_cancelled, &wakes}) {
      c->reset();
    }
  }
};

}  // namespace boc
