#include "boc/idle.h"

#include <algorithm>

namespace boc {

void IdleSet::reserve(size_t workers) {
  std::lock_guard guard(mutex_);
  sleepers_.reserve(workers);
  resting_.reserve(workers);
}

void IdleSet::count() noexcept {
  sleeping_.store(static_cast<uint32_t>(sleepers_.size()), relaxed);
  listed_.store(static_cast<uint32_t>(sleepers_.size() + resting_.size()), relaxed);
}

bool IdleSet::remove(std::vector<Parker*>& list, Parker& parker) noexcept {
  auto at = std::find(list.begin(), list.end(), &parker);
  if (at == list.end()) return false;
  list.erase(at);
  count();
  if (&list == &sleepers_) searching_.fetch_add(1, seq_cst);  // I3
  return true;
}

Parker* IdleSet::take_one() noexcept {
  std::lock_guard guard(mutex_);
  if (sleepers_.empty()) return nullptr;
  Parker* parker = sleepers_.back();  // the one that slept last: its caches are the warmest
  sleepers_.pop_back();
  count();
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

bool IdleSet::wake(Parker& parker) noexcept {
  {
    std::lock_guard guard(mutex_);
    if (!remove(sleepers_, parker) && !remove(resting_, parker)) return false;
  }
  parker.unpark();
  return true;
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
    count();
    searching_.fetch_sub(1, seq_cst);
  }
  full_fence();  // I2: partner of the fence in notify_one()
}

void IdleSet::cancel_sleep(Parker& parker) noexcept {
  {
    std::lock_guard guard(mutex_);
    if (remove(sleepers_, parker)) return;
  }
  parker.park();  // taken, and counted as searching by whoever took it (I3)
}

void IdleSet::announce_rest(Parker& parker) noexcept {
  {
    std::lock_guard guard(mutex_);
    resting_.push_back(&parker);  // within the capacity reserved for all workers
    count();
  }
  full_fence();  // partner of the fence in Worker::wake() (W3)
}

void IdleSet::cancel_rest(Parker& parker) noexcept {
  {
    std::lock_guard guard(mutex_);
    if (remove(resting_, parker)) return;
  }
  parker.park();  // taken (I4)
}

}  // namespace boc
