#include "boc/idle.h"

#include <algorithm>

namespace boc {

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

void IdleSet::end_search_with_work() noexcept {
  if (searching_.fetch_sub(1, seq_cst) == 1) notify_one();
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
  std::lock_guard guard(mutex_);
  auto at = std::find(sleepers_.begin(), sleepers_.end(), &parker);
  if (at == sleepers_.end()) return;  // woken: counted as searching already (I3)
  sleepers_.erase(at);
  sleeping_.store(static_cast<uint32_t>(sleepers_.size()), relaxed);
  searching_.fetch_add(1, seq_cst);
}

}  // namespace boc
