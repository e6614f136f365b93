#include "boc/idle.h"

#include <algorithm>

namespace boc {

void IdleSet::reserve(size_t workers) {
  std::lock_guard guard(mutex_);
  sleepers_.reserve(workers);
}

Parker* IdleSet::take_one() noexcept {
  std::lock_guard guard(mutex_);
  if (sleepers_.empty()) return nullptr;
  Parker* parker = sleepers_.back();  // the one that slept last: its caches are the warmest
  sleepers_.pop_back();
  sleeping_.store(static_cast<uint32_t>(sleepers_.size()), relaxed);
  searching_.fetch_add(1, seq_cst);  // I3
  return parker;
}

bool IdleSet::notify_one() noexcept {
  full_fence();  // I2: partner of the fence in announce_sleep()
  if (sleeping_.load(relaxed) == 0 || searching_.load(relaxed) != 0) return false;
  Parker* parker = take_one();
  if (parker) parker->unpark();
  return parker != nullptr;
}

void IdleSet::notify_all() noexcept {
  while (Parker* parker = take_one()) parker->unpark();
}

bool IdleSet::end_search() noexcept {
  const bool last = searching_.fetch_sub(1, seq_cst) == 1;
  full_fence();  // partner of the fence in notify_one(): a producer that saw us searching is seen by our next look
  return last;
}

void IdleSet::announce_sleep(Parker& parker) noexcept {
  {
    std::lock_guard guard(mutex_);
    sleepers_.push_back(&parker);  // within the capacity reserved for all workers
    sleeping_.store(static_cast<uint32_t>(sleepers_.size()), relaxed);
    searching_.fetch_sub(1, seq_cst);
  }
  full_fence();  // I2: partner of the fence in notify_one()
}

void IdleSet::cancel_sleep(Parker& parker) noexcept {
  {
    std::lock_guard guard(mutex_);
    auto at = std::find(sleepers_.begin(), sleepers_.end(), &parker);
    if (at != sleepers_.end()) {
      sleepers_.erase(at);
      sleeping_.store(static_cast<uint32_t>(sleepers_.size()), relaxed);
      searching_.fetch_add(1, seq_cst);
      return;
    }
  }
  parker.park();  // taken, and counted as searching by whoever took it (I3)
}

}  // namespace boc
