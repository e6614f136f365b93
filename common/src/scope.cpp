#include "boc/scope.h"

namespace boc {

Scope::Scope(Scope* parent) noexcept : parent_(parent) {
  if (parent_) parent_->ref();  // S3
}

bool Scope::within(const Scope* other) const noexcept {
  for (const Scope* s = this; s; s = s->parent_) {
    if (s == other) return true;
  }
  return false;
}

void Scope::take(int64_t n) noexcept {
  // Ancestors first: whoever sees the behavior counted here finds it counted above.
  if (parent_) parent_->take(n);
  word_.fetch_add(static_cast<uint64_t>(n), seq_cst);
}

void Scope::give_back(int64_t n) noexcept {
  // Keeps the scope alive to the end of this function (S2), in the same operation that may let go of its last
  // pending behavior. Seq_cst: partner of wait_for(), which announces itself before it looks at the count.
  uint64_t old = word_.fetch_add(REFERENCE - static_cast<uint64_t>(n), seq_cst);
  if ((old & COUNT) == static_cast<uint64_t>(n)) became_idle();
  if (parent_) parent_->give_back(n);
  unref();
}

void Scope::became_idle() noexcept {
  if (sleepers_.load(seq_cst) != 0) {
    std::lock_guard lock(mutex_);
    ++falls_;
    wake_.notify_all();
  }
  // Seq_cst, after the count: partner of listen() and the look at idle() that follows it.
  if (Listener listener = on_idle_.load(seq_cst)) listener(*this, listener_argument_);
}

bool Scope::cancelled() const noexcept {
  for (const Scope* s = this; s; s = s->parent_) {
    if (s->cancelled_.load(acquire)) return true;
  }
  return false;
}

bool Scope::wait_for(std::chrono::nanoseconds slice, bool (*other_work)(void*), void* argument) {
  if (idle()) return true;
  std::unique_lock lock(mutex_);
  sleepers_.fetch_add(1, seq_cst);  // announced before the count is looked at again: no wake-up is lost
  const uint64_t falls = falls_;
  const uint64_t nudges = nudges_;
  // Asked under the mutex that nudge() takes: either the work is seen here, or the nudge wakes this thread.
  if (!idle() && !(other_work && other_work(argument))) {
    wake_.wait_for(lock, slice, [&] { return falls_ != falls || nudges_ != nudges; });
  }
  sleepers_.fetch_sub(1, relaxed);
  return falls_ != falls || idle();
}

void Scope::nudge() noexcept {
  std::lock_guard lock(mutex_);
  ++nudges_;
  wake_.notify_all();
}

void Scope::nudge_all() noexcept {
  for (Scope* s = this; s; s = s->parent_) s->nudge();
}

void Scope::listen(Listener on_idle, Listener on_gone, void* argument) noexcept {
  listener_argument_ = argument;
  on_gone_ = on_gone;
  on_idle_.store(on_idle, seq_cst);  // partner: the load in became_idle()
}

void Scope::unref() noexcept {
  Scope* scope = this;
  while (scope && scope->word_.fetch_sub(REFERENCE, acq_rel) == REFERENCE) {  // S2
    Scope* parent = scope->parent_;
    if (scope->on_gone_) scope->on_gone_(*scope, scope->listener_argument_);
    delete scope;
    scope = parent;
  }
}

}  // namespace boc
