// Threads that hold cowns themselves: waiters, abandoning, try_schedule, and finding what would wait for itself.
#include "native_support.h"

using namespace support;

namespace {

// A waiter for several cowns; each is read or written.
struct Hold final : detail::NativeBehavior {
  Waiter turn;
  Waiter::Share shares[4];
  alignas(Request) unsigned char storage[4 * sizeof(Request)];
  static inline std::atomic<int> live{0};

  Hold(std::initializer_list<Cown*> cowns, bool reads = false) {
    lane = Lane::WAITER;
    waiter = &turn;
    requests = reinterpret_cast<Request*>(storage);
    for (Cown* c : cowns) new (requests + request_count++) Request(c, this, reads ? uint32_t{Request::READ} : 0u);
    if (request_count > 1) turn.shares = shares;
    prepare(*this);
    live.fetch_add(1);
  }
  ~Hold() { live.fetch_sub(1); }
  void run(bool) noexcept override {}
  void destroy() noexcept override { delete this; }

  void await() {
    while (!turn.wait_for(1h)) {
    }
  }
};

bool is_it(Behavior& b, void* argument) {
  return &b == argument;
}

}  // namespace

TEST(waiters, hold_and_release) {
  Runtime runtime(2);
  auto a = make_cown<Guarded>();
  auto b = make_cown<Guarded>();
  check::in_threads(3, [&](int me) {
    for (int i = 0; i < check::times(1500); ++i) {
      if (me == 0) {
        when_on(runtime, a, b) << [](Guarded& x, Guarded& y) {
          x.write();
          y.write();
        };
        continue;
      }
      auto* hold = new Hold({a.payload(), b.payload()});
      runtime.scheduler().schedule(nullptr, *hold);
      hold->await();
      a.payload()->value.write();
      b.payload()->value.write();
      runtime.scheduler().finish(nullptr, *hold);
    }
  });
  runtime.wait();
  CHECK_EQ(a.payload()->value.n, 3L * check::times(1500));
  CHECK_EQ(Hold::live.load(), 0);
}

// Many waiters in a row have given up; whoever releases the cown passes over all of them, without recursion.
TEST(waiters, abandoned_in_a_row) {
  Runtime runtime(2);
  auto c = make_cown<int>(0);
  Gate gate;
  when(c) << [&gate](int&) { gate.wait(); };
  gate.await(1);
  const int n = check::times(100000);
  for (int i = 0; i < n; ++i) {
    auto* hold = new Hold({c.payload()}, i % 3 == 0);
    runtime.scheduler().schedule(nullptr, *hold);
    CHECK(runtime.scheduler().abandon(*hold));
  }
  cown<int> after = when(c) << [](int& value) { return value + 1; };
  gate.open.store(true);
  CHECK_EQ(get(after), 1);
  runtime.wait();
  CHECK_EQ(Hold::live.load(), 0);
}

// The cowns come while the thread gives up: one of the two notices.
TEST(waiters, abandon_against_grant) {
  Runtime runtime(2);
  auto c = make_cown<Guarded>();
  int given_up = 0, held = 0;
  for (int i = 0; i < check::times(20000); ++i) {
    when(c) << [](Guarded& g) { g.write(); };
    auto* hold = new Hold({c.payload()});
    runtime.scheduler().schedule(nullptr, *hold);
    if (i % 2) std::this_thread::yield();
    if (runtime.scheduler().abandon(*hold)) {
      ++given_up;
      continue;
    }
    c.payload()->value.write();
    ++held;
    runtime.scheduler().finish(nullptr, *hold);
  }
  runtime.wait();
  CHECK_EQ(given_up + held, check::times(20000));
  CHECK_EQ(c.payload()->value.n, check::times(20000) + held);
  CHECK_EQ(get(when(c) << [](Guarded&) { return 1; }), 1);
  CHECK_EQ(Hold::live.load(), 0);
}

// Who waits for two cowns, has one of them and gives up, keeps nobody from that one.
TEST(waiters, giving_up_lets_go_of_what_has_come) {
  Runtime runtime(2);
  for (bool reads : {false, true}) {
    auto a = make_cown<int>(0);
    auto b = make_cown<int>(0);
    Gate gate;
    when(b) << [&gate](int&) { gate.wait(); };
    gate.await(1);
    auto* hold = new Hold({a.payload(), b.payload()}, reads);
    runtime.scheduler().schedule(nullptr, *hold);
    cown<int> behind = when(a) << [](int& n) { return ++n; };
    CHECK(runtime.scheduler().abandon(*hold));
    CHECK_EQ(get(behind), 1);
    CHECK_EQ(Hold::live.load(), 1);  // its place behind b is still there
    gate.open.store(true);
    CHECK_EQ(get(when(b) << [](int& n) { return ++n; }), 1);
    runtime.wait();
    CHECK_EQ(Hold::live.load(), 0);
  }
}

// Many threads hold, or give up, two of three cowns at random moments, while others look for what waits for
// whom.
TEST(waiters, giving_up_against_everything) {
  Runtime runtime(2);
  cown<Guarded> cowns[] = {make_cown<Guarded>(), make_cown<Guarded>(), make_cown<Guarded>()};
  std::atomic<long> written[3] = {};
  Scheduler& s = runtime.scheduler();
  check::in_threads(4, [&](int me) {
    for (int i = 0; i < check::times(3000); ++i) {
      const int x = (i + me) % 3, y = (x + 1 + i / 3 % 2) % 3;
      if (i % 3 == 0) {
        when_on(runtime, cowns[x], read(cowns[y])) << [](Guarded& g, const Guarded& r) {
          g.write();
          r.read();
        };
        written[x].fetch_add(1);
      }
      auto* hold = new Hold({cowns[x].payload(), cowns[y].payload()}, i % 5 == 0);
      s.schedule(nullptr, *hold);
      if (i % 2) (void)hold->turn.wait_for(std::chrono::microseconds(i % 50));
      if (s.abandon(*hold)) continue;
      if (i % 5) {
        for (int c : {x, y}) {
          cowns[c].payload()->value.write();
          written[c].fetch_add(1);
        }
      }
      (void)s.blocks(*hold, [](Behavior&, void*) { return false; }, nullptr);
      s.finish(nullptr, *hold);
    }
  });
  runtime.wait();
  for (int c = 0; c < 3; ++c) CHECK_EQ(cowns[c].payload()->value.n, written[c].load());
  CHECK_EQ(Hold::live.load(), 0);
}

TEST(waiters, try_schedule_never_waits) {
  Runtime runtime(2);
  auto c = make_cown<Guarded>();
  auto* first = new Hold({c.payload()});
  CHECK(runtime.scheduler().try_schedule(nullptr, *first));
  CHECK(first->turn.ready());
  auto* second = new Hold({c.payload()});
  CHECK(!runtime.scheduler().try_schedule(nullptr, *second));
  runtime.scheduler().finish(nullptr, *first);
  CHECK(runtime.scheduler().try_schedule(nullptr, *second));
  CHECK(second->turn.ready());
  runtime.scheduler().finish(nullptr, *second);
  std::atomic<long> got{0};
  check::in_threads(3, [&](int me) {
    for (int i = 0; i < check::times(3000); ++i) {
      if (me == 0) {
        when_on(runtime, c) << [](Guarded& g) { g.write(); };
        when_on(runtime, read(c)) << [](const Guarded& g) { g.read(); };
        continue;
      }
      auto* hold = new Hold({c.payload()});
      if (!runtime.scheduler().try_schedule(nullptr, *hold)) {
        delete hold;
        continue;
      }
      hold->await();  // readers may have come in between
      c.payload()->value.write();
      got.fetch_add(1);
      runtime.scheduler().finish(nullptr, *hold);
    }
  });
  runtime.wait();
  CHECK_EQ(c.payload()->value.n, check::times(3000) + got.load());
  CHECK_EQ(Hold::live.load(), 0);
}

// A behavior that was counted in and prepared but never scheduled ends with finish(): its result is let go of.
TEST(waiters, finish_what_never_went_on_its_way) {
  Runtime runtime(2);
  auto c = make_cown<Counted>();
  cown<int> result;
  Behavior* dropped = make_behavior(runtime, &result, [](auto&...) { CHECK(false); }, read(c));
  cown<int> user = when(result) << [](int& n) { return n + 5; };
  runtime.scheduler().finish(nullptr, *dropped);
  CHECK_EQ(get(user), 5);
  when(c) << [](Counted& n) { n.n = 3; };  // c is as it was: a writer is not kept out by a reader that never was
  runtime.wait();
  CHECK_EQ(c.payload()->value.n, 3L);
}

TEST(waiters, blocks_finds_what_waits_for_the_holder) {
  Runtime runtime(2);
  auto a = make_cown<int>(0);
  auto b = make_cown<int>(0);
  auto elsewhere = make_cown<int>(0);
  auto* hold = new Hold({a.payload()});
  runtime.scheduler().schedule(nullptr, *hold);
  hold->await();
  CHECK(!runtime.scheduler().blocks(*hold, [](Behavior&, void*) { return true; }, nullptr));

  cown<int> on_a, on_result, on_other;
  Behavior* direct = make_behavior(runtime, &on_a, [](auto&...) {}, a, b);
  Behavior* behind = make_behavior(runtime, nullptr, [](auto&...) {}, b);                // behind direct, on b
  Behavior* through_result = make_behavior(runtime, &on_result, [](auto&...) {}, on_a);  // needs what direct makes
  Behavior* free = make_behavior(runtime, &on_other, [](auto&...) {}, elsewhere);
  Scheduler& s = runtime.scheduler();
  for (Behavior* x : {direct, behind, through_result}) s.schedule(nullptr, *x);
  CHECK(runtime.scheduler().blocks(*hold, is_it, direct));
  CHECK(runtime.scheduler().blocks(*hold, is_it, behind));
  CHECK(runtime.scheduler().blocks(*hold, is_it, through_result));
  CHECK(!runtime.scheduler().blocks(*hold, is_it, free));
  CHECK(!runtime.scheduler().blocks(*hold, is_it, hold));  // it does not wait for itself
  s.schedule(nullptr, *free);
  s.finish(nullptr, *hold);
  runtime.wait();
}

// The holder reads. Readers beside it do not wait for it; a writer does, and all behind the writer.
TEST(waiters, blocks_with_readers) {
  Runtime runtime(2);
  auto a = make_cown<int>(0);
  auto* hold = new Hold({a.payload()}, true);
  Scheduler& s = runtime.scheduler();
  s.schedule(nullptr, *hold);
  hold->await();
  Gate gate;
  cown<int> beside = when(read(a)) << [&gate](const int&) {
    gate.wait();
    return 1;
  };
  gate.await(1);  // it runs beside the holder
  CHECK(!runtime.scheduler().blocks(*hold, [](Behavior&, void*) { return true; }, nullptr));
  Behavior* writer = make_behavior(runtime, nullptr, [](auto&...) {}, a);
  Behavior* reader = make_behavior(runtime, nullptr, [](auto&...) {}, read(a));
  s.schedule(nullptr, *writer);
  s.schedule(nullptr, *reader);
  CHECK(runtime.scheduler().blocks(*hold, is_it, writer));
  CHECK(runtime.scheduler().blocks(*hold, is_it, reader));
  gate.open.store(true);
  CHECK_EQ(get(beside), 1);
  CHECK(runtime.scheduler().blocks(*hold, is_it, writer));  // still: the holder itself reads
  s.finish(nullptr, *hold);
  runtime.wait();
}

// The walk looks at behaviors that other threads are scheduling at that moment.
TEST(waiters, blocks_while_others_schedule) {
  Runtime runtime(2);
  auto a = make_cown<int>(0);
  auto b = make_cown<int>(0);
  auto c = make_cown<int>(0);
  Scheduler& s = runtime.scheduler();
  for (int round = 0; round < check::times(300); ++round) {
    auto* hold = new Hold({b.payload()});
    s.schedule(nullptr, *hold);
    hold->await();
    std::atomic<int> left{2};
    check::in_threads(3, [&](int me) {
      if (me == 2) {
        while (left.load()) (void)runtime.scheduler().blocks(*hold, [](Behavior&, void*) { return false; }, nullptr);
        return;
      }
      for (int i = 0; i < 20; ++i) {
        switch (i % 3) {
          case 0:
            when_on(runtime, a, b, c) << [](int&, int&, int&) {};
            break;
          case 1:
            when_on(runtime, read(a), b, read(c)) << [](const int&, int&, const int&) {};
            break;
          default:
            when_on(runtime, c, read(b)) << [](int&, const int&) {};
        }
      }
      left.fetch_sub(1);
    });
    CHECK(runtime.scheduler().blocks(*hold, [](Behavior&, void*) { return true; }, nullptr));
    s.finish(nullptr, *hold);
    runtime.wait();
  }
}
