// A scope counts behaviors so that one can wait until they have ended. Scopes form a tree: a behavior counts in its
// own scope and in all above; the scheduler's root scope counts everything.
#pragma once

#include "boc/sync.h"

namespace boc {

// Invariants
//   S1  The low part of word = behaviors pending in here and below + credits that workers hold. It is 0 only if
//       nothing is pending. A worker gives its credits back before it searches for work or parks.
//   S2  The high part of word counts references; the scope is destroyed when both parts are 0. Pending behaviors
//       keep it alive without a reference of their own.
//   S3  A scope's pending behaviors are counted in every ancestor as well, and a child keeps its parent alive.
class Scope {
 public:
  using Listener = void (*)(Scope& scope, void* argument);

  // `parent` may be null: a root. The creator holds the first reference.
  explicit Scope(Scope* parent) noexcept;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  Scope* parent() const noexcept { return parent_; }
  bool within(const Scope* other) const noexcept;  // is other, or is below it

  // Counts `n` behaviors (or credits) in, here and above. Seq_cst: partner of the check in Scheduler::try_stop.
  void take(int64_t n) noexcept;
  // Counts them out and wakes who waits. The scope may be gone afterwards.
  void give_back(int64_t n) noexcept;

  bool idle() const noexcept { return (word_.load(seq_cst) & COUNT) == 0; }

  // Behaviors that have not begun are dropped from now on, here and below.
  void cancel() noexcept { cancelled_.store(true, release); }
  void resume() noexcept { cancelled_.store(false, release); }
  bool cancelled() const noexcept;

  // Sleeps until nothing is pending, or until `slice` is over. True: nothing was pending at some moment. It does not
  // sleep if `other_work(argument)` is true, and who makes that true calls nudge() afterwards.
  bool wait_for(std::chrono::nanoseconds slice, bool (*other_work)(void*) = nullptr, void* argument = nullptr);
  // Wakes all that wait for it, without reason: they look around and wait again.
  void nudge() noexcept;
  // The same here and above.
  void nudge_all() noexcept;
  // `on_idle` is called (by whoever ended the last behavior) each time the count falls to 0; the scope, and so what
  // `argument` refers to, is there until it returns. `on_gone` is called when the scope is destroyed. Set them once,
  // then look at idle(): the last behavior may have ended before.
  void listen(Listener on_idle, Listener on_gone, void* argument) noexcept;

  void ref() noexcept { word_.fetch_add(REFERENCE, relaxed); }
  void unref() noexcept;

  // For whoever made the scope.
  void* user_data = nullptr;

 private:
  ~Scope() = default;
  void became_idle() noexcept;

  static constexpr uint64_t REFERENCE = uint64_t{1} << 40;
  static constexpr uint64_t COUNT = REFERENCE - 1;

  atomic<uint64_t> word_{REFERENCE};
  atomic<uint32_t> sleepers_{0};
  atomic<bool> cancelled_{false};
  Scope* const parent_;
  atomic<Listener> on_idle_{nullptr};
  Listener on_gone_ = nullptr;
  void* listener_argument_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
  uint64_t falls_ = 0;   // how often the count fell to 0 while somebody slept
  uint64_t nudges_ = 0;  // how often it was nudged
};

}  // namespace boc
