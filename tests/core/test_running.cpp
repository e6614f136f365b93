// What a cancelled scope still waits for: that which has begun, and nothing else.
#include "boc/running.h"
#include "native_support.h"

using namespace support;

TEST(running, begins_and_ends) {
  auto* root = new Scope(nullptr);
  auto* outer = new Scope(root);
  auto* inner = new Scope(outer);
  auto* other = new Scope(root);
  Running running;
  CHECK(!running.within(*root));
  CHECK(running.begin(*inner));
  CHECK(running.within(*inner) && running.within(*outer) && running.within(*root));
  CHECK(!running.within(*other));
  outer->cancel();
  running.end(*inner);
  CHECK(!running.within(*inner));
  CHECK(!running.begin(*inner));  // cancelled with the one above
  CHECK(!running.within(*inner));
  CHECK(running.begin(*other));
  running.end(*other);
  for (Scope* s : {other, inner, outer, root}) s->unref();
}

// Whoever cancels and then finds nothing running can be sure that no body runs from there on.
TEST(running, nothing_begins_after_cancel) {
  for (int i = 0; i < check::times(2000); ++i) {
    auto* scope = new Scope(nullptr);
    Running running;
    std::atomic<bool> over{false}, in_body{false};
    std::thread worker([&] {
      for (int n = 0; n < 20; ++n) {
        if (!running.begin(*scope)) break;
        in_body.store(true);
        CHECK(!over.load());
        in_body.store(false);
        running.end(*scope);
      }
    });
    if (i % 2) std::this_thread::yield();
    scope->cancel();
    while (running.within(*scope)) cpu_relax();
    CHECK(!in_body.load());
    over.store(true);
    worker.join();
    scope->unref();
  }
}

// The dropped behavior is queued behind a cown that is held for long: the scope does not wait for that.
TEST(running, scheduler_tells) {
  Runtime runtime(2);
  Scheduler& s = runtime.scheduler();
  auto* scope = new Scope(&s.root());
  auto held = make_cown<int>(0);
  auto mine = make_cown<int>(0);
  Gate holds, runs;
  when(held) << [&](int&) { holds.wait(); };
  holds.await(1);
  std::atomic<int> ran{0};
  auto in_scope = [&](Behavior* b) {
    b->scope->give_back(1);
    b->scope = scope;
    Scheduler::count_in(nullptr, *scope);
    s.schedule(nullptr, *b);
  };
  in_scope(make_behavior(runtime, nullptr, [&](auto&...) { ran.fetch_add(1); }, held));
  in_scope(make_behavior(runtime, nullptr, [&](auto&...) { runs.wait(); }, mine));
  runs.await(1);
  CHECK(s.runs_in(*scope));
  scope->cancel();
  CHECK(s.runs_in(*scope));
  runs.open.store(true);
  check::until([&] { return !s.runs_in(*scope); });
  CHECK(!scope->idle());
  holds.open.store(true);
  runtime.wait();
  CHECK(scope->idle());
  CHECK_EQ(ran.load(), 0);
  scope->unref();
}
