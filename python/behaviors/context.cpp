#include "context.h"

#include <new>
#include <utility>

namespace boc::py {

constinit thread_local Context* context_of_thread = nullptr;
constinit thread_local bool update_waits_for_thread = false;

Context& make_context() noexcept {
  static thread_local Context mine;
  context_of_thread = &mine;
  return mine;
}

namespace {

struct List {
  std::mutex mutex;
  std::vector<LeftBehind> all;
  atomic<bool> any{false};
};

List& list() noexcept {
  static auto* made = new List;  // never destroyed: threads may still end after static destruction
  return *made;
}

}  // namespace

Context::~Context() {
  context_of_thread = nullptr;
  leave_behind(*this);
}

void leave_behind(Context& c) noexcept {
  if (c.held.empty() && c.scopes.empty() && !c.batch) return;
  List& left = list();
  std::lock_guard guard(left.mutex);
  try {
    left.all.push_back({std::move(c.held), std::move(c.scopes), std::exchange(c.batch, nullptr)});
  } catch (const std::bad_alloc&) {
    return;  // then it stays open for ever
  }
  c.held.clear();
  c.scopes.clear();
  left.any.store(true, release);
}

std::vector<LeftBehind> take_left_behind() noexcept {
  List& left = list();
  if (!left.any.load(acquire)) return {};
  std::lock_guard guard(left.mutex);
  left.any.store(false, relaxed);
  return std::exchange(left.all, {});
}

void left_behind_after_fork() noexcept {
  new (&list()) List;  // its mutex may be held by a thread that is not here; the contents are the parent's
}

}  // namespace boc::py
