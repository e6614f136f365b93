// Where ready behaviors wait: a worker's own queue, the injector for those that come from outside, the main lane.
#pragma once

#include <memory>

#include "boc/behavior.h"

namespace boc {

// First in, first out; the owner and thieves take from the front. A short lock instead of a lock-free deque: bodies
// are microseconds, an uncontended exchange is not, and the intrusive list never allocates and has no bound.
//
// Invariants
//   Q1  A behavior is in at most one queue, and leaves it once.
//   Q2  size is the length whenever the lock is free; read without the lock it is a hint.
class WorkQueue {
 public:
  bool empty() const noexcept { return size_.load(relaxed) == 0; }
  size_t size() const noexcept { return size_.load(relaxed); }

  void push(Behavior* behavior) noexcept;
  void push(BehaviorList& list, size_t count) noexcept;
  Behavior* pop() noexcept;
  // Moves the older half (at least one, at most `most`) to `to`, which must be the caller's own; returns how many.
  // 0 if empty, or if the lock is taken: the thief looks elsewhere.
  size_t steal(WorkQueue& to, size_t most) noexcept;

 private:
  size_t take_front(BehaviorList& into, size_t count) noexcept;  // cuts off up to `count`, in order

  SpinLock lock_;
  atomic<size_t> size_{0};
  BehaviorList list_;
};

// Many threads push, all workers pop: a bounded lock-free queue with an intrusive overflow behind it, as a push must
// neither fail nor allocate.
//
// Invariants
//   J1  While the overflow is not empty new behaviors go there, so that those in the ring stay older.
//   J2  size counts behaviors that are in for certain: they can be taken at once, so nobody goes round in circles
//       waiting for a pusher that has been interrupted. Each push ends with its own count.
class Injector {
 public:
  Injector();
  ~Injector();
  bool empty() const noexcept { return size() == 0; }
  size_t size() const noexcept {
    const int64_t size = size_.load(acquire);  // partner: the release in push()
    return size > 0 ? static_cast<size_t>(size) : 0;
  }
  void push(Behavior* behavior) noexcept;
  Behavior* pop() noexcept;

 private:
  struct Ring;
  std::unique_ptr<Ring> ring_;
  WorkQueue overflow_;
  alignas(64) atomic<int64_t> size_{0};
};

// Behaviors that must run on one given thread. The thread sets a callback that wakes it, wherever it sleeps.
class MainLane {
 public:
  using Waker = void (*)(void* argument);

  bool empty() const noexcept { return queue_.empty(); }
  size_t size() const noexcept { return queue_.size(); }
  void push(Behavior* behavior) noexcept;
  Behavior* pop() noexcept { return queue_.pop(); }
  void on_push(Waker waker, void* argument) noexcept;

 private:
  WorkQueue queue_;
  std::mutex mutex_;
  Waker waker_ = nullptr;
  void* argument_ = nullptr;
};

}  // namespace boc
