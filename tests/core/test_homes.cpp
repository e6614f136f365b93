// Where behaviors run if values live with workers: fixed, heavy and preferred places, and behaviors that turn out to
// belong elsewhere.
#include "homes_support.h"

using namespace homes;

namespace {

uint64_t sum(Scheduler& s, Counter WorkerStats::*counter) {
  uint64_t all = 0;
  for (unsigned i = 0; i < s.kept_count(); ++i) all += (s.stats(i).*counter).get();
  return all;
}

}  // namespace

TEST(homes, fixed_ones_run_only_at_home) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(4);
  stop(s);
  s.start(2);  // two have no part in this period
  const int n = check::times(4000);
  for (int i = 0; i < n; ++i) post(s, fixed(i % 4));
  for (int i = 0; i < n; ++i) {
    post(s, fixed(i % 4), [&s, i](Worker&) { post(s, fixed((i + 1) % 4)); });  // run() checks where
  }
  drain(s);
  CHECK_EQ(backend.ran.load(), 3 * n);
  CHECK_EQ(sum(s, &WorkerStats::stolen), uint64_t{0});
  stop(s);
}

// Steps of many lengths, so that who waits for the next one lingers, falls asleep just then, or sleeps; what it waits for
// comes as a behavior or as an errand.
TEST(homes, handed_to_and_fro) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(2);
  const int n = check::times(4000);
  std::atomic<int> steps{0};
  std::function<void(Worker&)> step = [&](Worker&) {
    const int i = steps.fetch_add(1);
    if (i >= n) return;
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(i % 7 * 10);
    while (std::chrono::steady_clock::now() < end) cpu_relax();
    const unsigned other = (i + 1) % 2;
    if (i % 5 == 0) {
      backend.post_errand(s.kept_worker(other), [&, other](Worker&) { post(s, fixed(other), step); });
    } else {
      post(s, fixed(other), step);
    }
  };
  post(s, fixed(0), step);
  check::until([&] { return steps.load() > n; });
  stop(s);
}

TEST(homes, fixed_ones_wait_for_a_busy_home) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(3);
  Busy busy(s, 1);
  for (int i = 0; i < 10; ++i) post(s, fixed(1));
  for (int i = 0; i < 10; ++i) post(s, fixed(2));
  check::until([&] { return backend.homes[2].ran.load() == 10; });
  std::this_thread::sleep_for(20ms);
  CHECK_EQ(backend.homes[1].ran.load(), 1);
  busy.open();
  stop(s);
  CHECK_EQ(backend.homes[1].ran.load(), 11);
}

TEST(homes, fixed_ones_wait_for_the_next_start) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(3);
  stop(s);
  for (int i = 0; i < 9; ++i) post(s, fixed(i % 3));
  std::this_thread::sleep_for(5ms);
  CHECK_EQ(backend.ran.load(), 0);
  s.start(1);
  stop(s);
  for (int i = 0; i < 3; ++i) CHECK_EQ(backend.homes[i].ran.load(), 3);
}

// A worker without a part in the period makes others ready: they go to those that have one.
TEST(homes, what_a_guest_makes_ready_goes_to_the_active) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(3);
  stop(s);
  s.start(1);
  Value value;
  std::atomic<int> wrong{0};
  const int n = check::times(2000);
  for (int i = 0; i < n; ++i) {
    post(s, fixed(2), nullptr, {&value});
    post(s, i % 2 ? rather(2) : heavy(1), [&](Worker& w) { wrong += w.index() != 0; }, {&value});
  }
  drain(s);
  CHECK_EQ(wrong.load(), 0);
  CHECK_EQ(backend.homes[2].ran.load(), n);
  CHECK_EQ(backend.homes[0].ran.load(), n);
  stop(s);
}

// A worker has three queues, and none of them is kept waiting by the others.
TEST(homes, its_queues_take_turns) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(1);
  const Place places[] = {fixed(0), heavy(0), {}};
  for (const Place& busy : places) {
    std::atomic<int> ran{0};
    std::function<void(Worker&)> again = [&](Worker&) {
      if (ran.load() < 3) post(s, busy, again);
    };
    post(s, busy, [&](Worker& w) {
      again(w);
      for (const Place& place : places) post(s, place, [&](Worker&) { ++ran; });
    });
    drain(s);
    CHECK_EQ(ran.load(), 3);
  }
  stop(s);
}

TEST(homes, a_preference_finds_a_sleeper_and_leaves_the_busy) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(3);
  int there = 0;
  const int n = 60;
  for (int i = 0; i < n; ++i) {
    std::this_thread::sleep_for(1ms);  // all sleep
    std::atomic<int> at{-1};
    post(s, rather(i % 3), [&](Worker& w) { at = static_cast<int>(w.index()); });
    drain(s);
    there += at.load() == i % 3;
  }
  CHECK(there > n / 2);  // whoever was about to sleep may have been quicker
  Busy busy(s, 1);
  for (int i = 0; i < 100; ++i) post(s, rather(1));
  check::until([&] { return backend.ran.load() == n + 101 || sum(s, &WorkerStats::executed) == uint64_t(n) + 101; });
  busy.open();
  stop(s);
}

// Short ones, one after the other: nobody takes them away although two are idle.
TEST(homes, heavy_ones_stay_with_a_quick_owner) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(3);
  const int n = check::times(20000);
  for (int i = 0; i < n; ++i) post(s, heavy(1));
  drain(s);
  // The system may take the processor from the owner for longer than a behavior would: a few may go.
  CHECK(backend.homes[1].ran.load() > n - n / 10);
  stop(s);
}

TEST(homes, heavy_ones_are_stolen_from_who_is_stuck) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(3);
  for (int round = 0; round < 20; ++round) {
    const int before = backend.ran.load();
    Busy busy(s, 1);
    for (int i = 0; i < 20; ++i) post(s, heavy(1));
    check::until([&] { return backend.ran.load() == before + 21; });
    busy.open();
    drain(s);
  }
  CHECK(sum(s, &WorkerStats::stolen_heavy) == uint64_t{400});
  stop(s);
}

// Each thief is stuck with what it took: somebody else has to watch then.
TEST(homes, whoever_stops_watching_is_replaced) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(4);
  for (int round = 0; round < 20; ++round) {
    Busy busy(s, 1);
    support::Gate gate;
    if (round % 2) std::this_thread::sleep_for(1ms);
    for (int i = 0; i < 3; ++i) post(s, heavy(1), [&](Worker&) { gate.wait(); });
    gate.await(3);
    gate.open = true;
    busy.open();
    drain(s);
  }
  stop(s);
}

// The owner makes them ready itself and goes on for long; or it has them and something else, and begins with that.
TEST(homes, heavy_ones_are_watched_in_every_case) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(3);
  for (int round = 0; round < 60; ++round) {
    support::Gate gate;
    std::atomic<int> ran{0};
    auto count = [&](Worker&) { ++ran; };
    if (round % 3) std::this_thread::sleep_for(1ms);  // all sleep
    if (round % 2) {
      post(s, fixed(0), [&](Worker&) {
        post(s, heavy(0), count);
        gate.wait();
      });
    } else {
      Busy first(s, 0);
      post(s, fixed(0), [&](Worker&) { gate.wait(); });
      post(s, heavy(0), count);
      first.open();
      gate.await(1);
    }
    check::until([&] { return ran.load() == 1; });
    gate.open = true;
    drain(s);
  }
  stop(s);
}

// Nobody spins next to work that it must not take: fixed to a busy worker, or heavy and watched.
TEST(homes, idle_ones_sleep_next_to_what_is_not_theirs) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(4);
  Busy busy(s, 0);
  for (int i = 0; i < 100; ++i) post(s, fixed(0));
  const uint64_t before = sum(s, &WorkerStats::parked) + sum(s, &WorkerStats::parks_cancelled);
  std::this_thread::sleep_for(100ms);
  CHECK(sum(s, &WorkerStats::parked) + sum(s, &WorkerStats::parks_cancelled) - before < 20);
  busy.open();
  drain(s);
  // A chain of quick ones that keeps another heavy one waiting would be watched all the time, at a slow pace.
  std::atomic<bool> over{false};
  std::function<void(Worker&)> again = [&](Worker&) {
    if (!over.load()) post(s, heavy(0), again), post(s, heavy(0));
  };
  post(s, heavy(0), again);
  const uint64_t begun = sum(s, &WorkerStats::parked);
  std::this_thread::sleep_for(200ms);
  over.store(true);
  drain(s);
  CHECK(sum(s, &WorkerStats::parked) - begun < 2000);
  stop(s);
}

TEST(homes, those_that_enter_refuses_go_elsewhere) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(3);
  std::atomic<int> there{0};
  backend.entering = [&](Worker& w, Job& job) {
    const int wanted = static_cast<int>(reinterpret_cast<uintptr_t>(job.waiter));  // a place for a number
    if (static_cast<int>(w.index()) == wanted) return true;
    job.at = fixed(wanted);
    return false;
  };
  auto* scope = new Scope(&s.root());
  const int n = check::times(6000);
  for (int i = 0; i < n; ++i) {
    const int wanted = i % 3;
    const Place first = i % 2 ? Place{} : i % 4 ? rather((i + 1) % 3) : heavy((i + 2) % 3);
    auto* job = new Job(i % 5 ? *scope : s.root(), first,
                        [&there, wanted](Worker& w) { there += static_cast<int>(w.index()) == wanted; });
    job->waiter = reinterpret_cast<Waiter*>(static_cast<uintptr_t>(wanted));
    Scheduler::count_in(nullptr, *job->scope);
    s.schedule(nullptr, *job);
  }
  while (!scope->wait_for(1h)) {
  }
  drain(s);
  CHECK_EQ(there.load(), n);
  CHECK(backend.refused.load() > 0);
  CHECK_EQ(sum(s, &WorkerStats::refused), static_cast<uint64_t>(backend.refused.load()));
  CHECK_EQ(sum(s, &WorkerStats::executed), static_cast<uint64_t>(n));
  scope->unref();
  stop(s);
}

TEST(homes, cancelled_ones_do_not_enter) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(2);
  backend.entering = [&](Worker&, Job&) {
    CHECK(false);
    return true;
  };
  auto* scope = new Scope(&s.root());
  scope->cancel();
  for (int i = 0; i < 100; ++i) {
    auto* job = new Job(*scope, i % 2 ? fixed(i % 4 / 2) : Place{}, nullptr);
    Scheduler::count_in(nullptr, *scope);
    s.schedule(nullptr, *job);
  }
  while (!scope->wait_for(1h)) {
  }
  CHECK_EQ(backend.cancelled.load(), 100);
  scope->unref();
  stop(s);
}

// The main lane is outside of all this.
TEST(homes, the_main_lane_has_no_place) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(2);
  auto* job = new Job(s.root(), {}, nullptr);
  job->lane = Lane::MAIN;  // place() checks
  Scheduler::count_in(nullptr, s.root());
  s.schedule(nullptr, *job);
  Worker main_worker(s, 5);
  here = &main_worker;
  backend.homes[5].thread = std::this_thread::get_id();
  check::until([&] { return s.run_main(main_worker); });
  here = nullptr;
  CHECK_EQ(backend.ran.load(), 1);
  stop(s);
}

// Values that live where they were used last; some are big, some stay, some turn out to stay. Places are what follows.
// Workers come and go between rounds, and errands come all the time.
TEST(homes, random_values_under_load) {
  homes::Backend backend;
  Scheduler s(backend);
  std::atomic<long> expected{0};
  constexpr int VALUES = 24;
  Value values[VALUES];
  for (int i = 0; i < VALUES; ++i) {
    values[i].big = i % 4 == 1;
    values[i].surprising = i % 4 == 2;
  }
  const int n = check::times(6000);
  for (unsigned workers : {8u, 2u, 5u, 3u, 1u, 6u}) {
    s.start(workers);
    std::atomic<bool> over{false};
    std::thread nudger([&] {
      for (unsigned i = 0; !over.load(); ++i) {
        backend.post_errand(s.kept_worker(i % s.kept_count()), [&s, i](Worker&) {
          if (i % 3 == 0) post(s, {});
        });
        std::this_thread::sleep_for(50us);
      }
    });
    check::in_threads(2, [&](int me) {
      unsigned random = workers * 77u + static_cast<unsigned>(me);
      auto next = [&] { return (random = random * 1664525u + 1013904223u) >> 8; };
      for (int i = 0; i < n; ++i) {
        Value* a = &values[next() % VALUES];
        Value* b = &values[next() % VALUES];
        const bool nested = next() % 4 == 0;
        const bool stays = next() % 8 == 0;
        expected += nested ? 2 : 1;
        post_by_values(s,
                       [&s, a, b, nested, stays](Worker& w) {
                         CHECK_EQ(a->home, static_cast<int>(w.index()));
                         ++a->n;
                         a->stays = stays && !a->big;
                         if (nested) post_by_values(s, [b](Worker&) { ++b->n; }, {b});
                       },
                       {a, b});
        if (i % 64 == 0) std::this_thread::sleep_for(100us);
      }
    });
    over.store(true);
    nudger.join();
    drain(s);
    for (unsigned i = 0; i < s.kept_count(); ++i) check::until([&] { return backend.homes[i].pending.load() == 0; });
    stop(s);
  }
  long all = 0;
  for (Value& v : values) {
    all += v.n;
    CHECK(v.idle());
    CHECK_EQ(v.refs.load(), 1u);
  }
  CHECK_EQ(all, expected.load());
  CHECK(backend.moved.load() > 0 && backend.refused.load() > 0);
}
