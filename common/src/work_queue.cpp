#include "boc/work_queue.h"

#include <algorithm>
#include <boost/lockfree/queue.hpp>

namespace boc {

void WorkQueue::push(Behavior* behavior) noexcept {
  std::lock_guard guard(lock_);
  list_.push(behavior);
  size_.store(size_.load(relaxed) + 1, relaxed);
}

void WorkQueue::push(BehaviorList& list, size_t count) noexcept {
  if (list.empty()) return;
  std::lock_guard guard(lock_);
  list_.append(list);
  size_.store(size_.load(relaxed) + count, relaxed);
}

Behavior* WorkQueue::pop() noexcept {
  if (empty()) return nullptr;
  std::lock_guard guard(lock_);
  Behavior* behavior = list_.pop();
  if (behavior) size_.store(size_.load(relaxed) - 1, relaxed);
  if (list_.first) prefetch_behavior(*list_.first);
  return behavior;
}

size_t WorkQueue::take_front(BehaviorList& into, size_t count) noexcept {
  const size_t size = size_.load(relaxed);
  if (count > size) count = size;  // Q2: the length
  if (count == 0) return 0;
  Behavior* last = list_.first;
  for (size_t i = 1; i < count; ++i) last = last->next;
  into = {list_.first, last};
  list_.first = last->next;
  if (!list_.first) list_.last = nullptr;
  last->next = nullptr;
  size_.store(size - count, relaxed);
  return count;
}

size_t WorkQueue::steal(WorkQueue& to, size_t most) noexcept {
  if (empty() || !lock_.try_lock()) return 0;
  BehaviorList loot;
  size_t taken = take_front(loot, std::min((size_.load(relaxed) + 1) / 2, most));
  lock_.unlock();
  to.push(loot, taken);
  return taken;
}

struct Injector::Ring {
  static constexpr size_t CAPACITY = 1024;
  boost::lockfree::queue<Behavior*, boost::lockfree::capacity<CAPACITY>> queue;
};

Injector::Injector() : ring_(std::make_unique<Ring>()) {}
Injector::~Injector() = default;

void Injector::push(Behavior* behavior) noexcept {
  if (!overflow_.empty() || !ring_->queue.bounded_push(behavior)) overflow_.push(behavior);  // J1
  // Counted last (J2). Release: a worker that sees the count finds the behavior.
  size_.fetch_add(1, release);
}

Behavior* Injector::pop() noexcept {
  if (empty()) return nullptr;
  Behavior* behavior = nullptr;
  if (!ring_->queue.pop(behavior)) behavior = overflow_.pop();
  if (behavior) size_.fetch_sub(1, relaxed);
  return behavior;
}

void MainLane::push(Behavior* behavior) noexcept {
  queue_.push(behavior);
  std::lock_guard guard(mutex_);
  if (waker_) waker_(argument_);
}

void MainLane::on_push(Waker waker, void* argument) noexcept {
  std::lock_guard guard(mutex_);
  waker_ = waker;
  argument_ = argument;
}

}  // namespace boc
