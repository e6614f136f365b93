// Scope alone: counting, the tree, cancelling, waiting, listening.
#include "boc/scope.h"
#include "check.h"

using namespace boc;
using namespace std::chrono_literals;

TEST(scope, counts_in_the_whole_tree) {
  auto* root = new Scope(nullptr);
  auto* child = new Scope(root);
  auto* leaf = new Scope(child);
  CHECK(leaf->within(root) && leaf->within(leaf) && !root->within(leaf) && !child->within(leaf));
  leaf->take(3);
  CHECK(!root->idle() && !child->idle() && !leaf->idle());
  leaf->give_back(2);
  CHECK(!root->idle());
  child->take(1);
  leaf->give_back(1);
  CHECK(leaf->idle() && !child->idle() && !root->idle());
  child->give_back(1);
  CHECK(root->idle() && child->idle());
  leaf->unref();
  child->unref();
  root->unref();
}

TEST(scope, cancels_downwards_only) {
  auto* root = new Scope(nullptr);
  auto* child = new Scope(root);
  auto* sibling = new Scope(root);
  child->cancel();
  CHECK(child->cancelled() && !root->cancelled() && !sibling->cancelled());
  child->resume();
  CHECK(!child->cancelled());
  root->cancel();
  CHECK(child->cancelled() && sibling->cancelled());
  child->unref();
  sibling->unref();
  root->unref();
}

// Pending behaviors keep the scope without a reference; the last one destroys it, and its parents in turn, from within
// give_back(). Address sanitizer sees if anything is touched after that, or left.
TEST(scope, the_last_pending_behavior_destroys_it) {
  Scope* at = new Scope(nullptr);
  for (int i = 0; i < 100; ++i) {
    auto* below = new Scope(at);
    at->unref();  // kept by the child alone
    at = below;
  }
  static int gone;
  gone = 0;
  at->listen([](Scope&, void*) {}, [](Scope&, void*) { ++gone; }, nullptr);
  at->take(1);
  at->unref();
  CHECK_EQ(gone, 0);
  at->give_back(1);
  CHECK_EQ(gone, 1);
}

TEST(scope, waiting) {
  auto* scope = new Scope(nullptr);
  CHECK(scope->wait_for(1h));
  scope->take(1);
  CHECK(!scope->wait_for(1ms));
  std::thread nudger([&] { scope->nudge_all(); });
  nudger.join();
  std::thread ender([&] { scope->give_back(1); });
  while (!scope->wait_for(1h)) {
  }
  ender.join();
  scope->unref();
}

TEST(scope, nudge_ends_a_wait_early) {
  auto* scope = new Scope(nullptr);
  scope->take(1);
  atomic<bool> back{false};
  std::thread waiter([&] {
    CHECK(!scope->wait_for(1h));
    back.store(true);
  });
  while (!back.load()) {
    scope->nudge_all();
    std::this_thread::yield();
  }
  waiter.join();
  scope->give_back(1);
  scope->unref();
}

TEST(scope, listener_hears_each_fall_to_zero) {
  auto* scope = new Scope(nullptr);
  int heard = 0;
  scope->listen(
      [](Scope& s, void* n) {
        CHECK(s.idle());
        ++*static_cast<int*>(n);
      },
      nullptr, &heard);
  scope->take(2);
  scope->give_back(1);
  CHECK_EQ(heard, 0);
  scope->give_back(1);
  CHECK_EQ(heard, 1);
  scope->take(1);
  scope->give_back(1);
  CHECK_EQ(heard, 2);
  scope->unref();
}

// The count falls to 0 while somebody is about to sleep, or about to listen: one of the two sees the other.
TEST(scope, no_fall_is_missed) {
  for (int i = 0; i < check::times(3000); ++i) {
    auto* scope = new Scope(nullptr);
    scope->take(1);
    atomic<bool> go{false}, heard{false};
    std::thread ender([&] {
      while (!go.load()) cpu_relax();
      scope->give_back(1);
    });
    go.store(true);
    if (i % 2) {
      while (!scope->wait_for(1h)) {
      }
    } else {
      scope->listen([](Scope&, void* flag) { static_cast<atomic<bool>*>(flag)->store(true); }, nullptr, &heard);
      if (!scope->idle()) check::until([&] { return heard.load(); });
    }
    ender.join();
    scope->unref();
  }
}

TEST(scope, many_threads_count) {
  auto* root = new Scope(nullptr);
  auto* scope = new Scope(root);
  scope->take(1);
  check::in_threads(4, [&](int) {
    for (int i = 0; i < check::times(20000); ++i) {
      scope->take(2);
      scope->ref();
      scope->give_back(1);
      scope->unref();
      scope->give_back(1);
    }
  });
  CHECK(!scope->idle() && !root->idle());
  scope->unref();
  scope->give_back(1);
  CHECK(root->idle());
  root->unref();
}

// Who has other things to do does not sleep, and is woken when there is something: no other work is missed.
TEST(scope, a_waiting_thread_can_be_woken_for_other_work) {
  auto* scope = new Scope(nullptr);
  scope->take(1);
  struct Work {
    std::atomic<int> left{0};
  } work;
  auto has_work = [](void* w) { return static_cast<Work*>(w)->left.load() != 0; };
  work.left.store(1);
  CHECK(!scope->wait_for(1h, has_work, &work));  // at once
  work.left.store(0);
  const int n = check::times(2000);
  std::thread pusher([&] {
    for (int i = 0; i < n; ++i) {
      work.left.fetch_add(1);
      scope->nudge();
      if (i % 16 == 0) std::this_thread::yield();
    }
  });
  int done = 0;
  while (done < n) {
    while (work.left.load() != 0) work.left.fetch_sub(1), ++done;
    if (done < n) CHECK(!scope->wait_for(1h, has_work, &work));
  }
  pusher.join();
  scope->give_back(1);
  CHECK(scope->wait_for(0ns, has_work, &work));
  scope->unref();
}
