// The scheduler's life: start, stop, start again; what is queued meanwhile; cancelling; the main lane.
#include <optional>
#include <system_error>

#include "native_support.h"

using namespace support;

namespace {

// A backend whose workers can be told to fail, and that counts what it is asked to do.
struct Probe final : Backend {
  std::atomic<int> fail_at{-1}, started{0}, stopped{0}, parks{0}, ran{0}, dropped_unrun{0};
  // Called in worker_stopping(), where a real backend may run destructors.
  std::function<void(Worker&)> stopping;

  struct Job final : Behavior {
    explicit Job(Scope& s) {
      scope = &s;
      prepare(*this);
    }
  };

  void worker_started(Worker&) override {
    if (started.fetch_add(1) == fail_at.load()) throw std::runtime_error("no more workers");
  }
  void worker_stopping(Worker& worker) noexcept override {
    if (stopping) stopping(worker);
    stopped.fetch_add(1);
  }
  void before_park(Worker&) noexcept override { parks.fetch_add(1); }
  void after_park(Worker&) noexcept override { parks.fetch_sub(1); }
  void run(Worker&, Behavior&, bool cancelled) noexcept override { cancelled ? ++dropped_unrun : ++ran; }
  void retire(Behavior& b) noexcept override { delete static_cast<Job*>(&b); }
  void drop(Cown*) noexcept override {}
  bool drops_silently(const Cown&) noexcept override { return false; }
  void breathe(Worker&) noexcept override {}
};

void post(Scheduler& s, Worker* here = nullptr) {
  auto* job = new Probe::Job(s.root());
  Scheduler::count_in(here, s.root());
  s.schedule(here, *job);
}

void stop(Scheduler& s) {
  while (!s.try_stop()) s.root().wait_for(1h);
}

}  // namespace

TEST(life, start_and_stop_again_and_again) {
  Probe probe;
  Scheduler s(probe);
  long posted = 0;
  for (int i = 0; i < check::times(500); ++i) {
    s.start(1 + static_cast<unsigned>(i % 5));
    CHECK(s.running());
    CHECK_EQ(probe.started.load(), static_cast<int>(s.worker_count()));  // all have begun
    for (int k = 0; k < i % 7; ++k, ++posted) post(s);
    stop(s);
    CHECK(!s.running());
    CHECK_EQ(probe.stopped.load(), probe.started.load());
    CHECK_EQ(probe.parks.load(), 0);
    probe.started = probe.stopped = 0;
  }
  CHECK_EQ(probe.ran.load(), posted);
}

TEST(life, a_stop_with_work_pending_changes_nothing) {
  Runtime runtime(2);
  auto c = make_cown<int>(0);
  Gate gate;
  when(c) << [&gate](int&) { gate.wait(); };
  CHECK(!runtime.scheduler().try_stop());
  CHECK(runtime.scheduler().running());
  gate.await(1);
  CHECK(!runtime.scheduler().try_stop());
  gate.open.store(true);
  CHECK_EQ(get(when(c) << [](int&) { return 9; }), 9);
}

TEST(life, what_is_scheduled_without_workers_waits_for_them) {
  Probe probe;
  Scheduler s(probe);
  for (int i = 0; i < 3000; ++i) post(s);  // more than the injector's ring holds
  CHECK_EQ(probe.ran.load(), 0);
  s.start(2);
  stop(s);
  CHECK_EQ(probe.ran.load(), 3000);
}

// The second thread cannot be had: an exception, no thread left, nothing lost, and the next start works.
TEST(life, a_start_that_fails_half_way) {
  for (int fail_at : {0, 1, 2}) {
    Probe probe;
    Scheduler s(probe);
    probe.fail_at = fail_at;
    for (int i = 0; i < 20; ++i) post(s);
    bool threw = false;
    try {
      s.start(3);
    } catch (const std::runtime_error& e) {
      threw = std::string(e.what()) == "no more workers";
    }
    CHECK(threw);
    CHECK(!s.running());
    CHECK_EQ(probe.stopped.load(), 2);  // those that had begun
    probe.fail_at = -1;
    s.start(2);
    stop(s);
    CHECK_EQ(probe.ran.load(), 20);
  }
}

// A destructor that runs while a worker stops schedules something: it is counted, and the next start runs it.
TEST(life, scheduled_while_a_worker_stops) {
  Probe probe;
  Scheduler s(probe);
  std::atomic<bool> once{true};
  probe.stopping = [&](Worker& worker) {
    if (once.exchange(false)) post(s, &worker);
  };
  s.start(1);
  stop(s);
  CHECK(!s.root().idle());
  CHECK_EQ(probe.ran.load(), 0);
  s.start(2);
  stop(s);
  CHECK_EQ(probe.ran.load(), 1);
  CHECK(s.root().idle());
}

// H1: threads schedule while another stops. Whoever finds the scheduler not running starts it again.
TEST(life, scheduling_against_stopping) {
  Probe probe;
  std::mutex lifecycle;
  Scheduler s(probe);
  s.start(2);
  const int n = check::times(1500);
  std::atomic<bool> over{false};
  std::thread stopper([&] {
    while (!over.load()) {
      {
        std::lock_guard lock(lifecycle);
        if (s.running()) s.try_stop();
      }
      std::this_thread::yield();
    }
  });
  check::in_threads(2, [&](int) {
    for (int i = 0; i < n; ++i) {
      post(s);
      if (s.running()) continue;
      std::lock_guard lock(lifecycle);
      if (!s.running()) s.start(2);
    }
  });
  over.store(true);
  stopper.join();
  if (!s.running() && !s.root().idle()) s.start(2);
  if (s.running()) stop(s);
  CHECK_EQ(probe.ran.load(), 2 * n);
}

TEST(life, ending_with_work_queued_cancels_it) {
  Probe probe;
  {
    Scheduler s(probe);
    s.start(2);
    s.root().cancel();
    for (int i = 0; i < 5000; ++i) post(s);
  }
  CHECK_EQ(probe.dropped_unrun.load(), 5000);
  CHECK_EQ(probe.stopped.load(), 2);
}

TEST(life, the_runtime_ends_after_everything_scheduled) {
  std::atomic<int> ran{0};
  {
    Runtime runtime(2);
    auto c = make_cown<int>(0);
    for (int i = 0; i < 1000; ++i) {
      when(c) << [c, &ran](int&) {
        ran.fetch_add(1);
        when(c) << [&ran](int&) { ran.fetch_add(1); };
      };
    }
  }
  CHECK_EQ(ran.load(), 2000);
}

TEST(life, cancelled_behaviors_do_not_run_and_say_so) {
  Runtime runtime(2);
  auto c = make_cown<int>(0);
  Gate gate;
  when(c) << [&gate](int& n) {
    gate.wait();
    ++n;
  };
  gate.await(1);
  cown<int> dropped = when(c) << [](int& n) { return ++n; };
  cown<int> after = when(dropped) << [](int&) { return 5; };
  runtime.scheduler().root().cancel();
  gate.open.store(true);
  runtime.wait();
  runtime.scheduler().root().resume();
  bool told = false;
  try {
    get(dropped);
  } catch (const Cancelled&) {
    told = true;
  }
  CHECK(told);
  CHECK_EQ(get(c), 1);  // the one that had begun has ended
  CHECK_EQ(get(when(c) << [](int& n) { return n + 1; }), 2);
}

TEST(life, scopes_are_waited_for_and_cancelled_apart) {
  Runtime runtime(2);
  Scheduler& s = runtime.scheduler();
  auto* outer = new Scope(&s.root());
  auto* inner = new Scope(outer);
  auto c = make_cown<int>(0);
  auto d = make_cown<int>(0);
  auto in_scope = [&](Scope* scope, cown<int> target, auto body) {
    Behavior* b = make_behavior(runtime, nullptr, body, target);
    b->scope->give_back(1);
    b->scope = scope;
    Scheduler::count_in(nullptr, *scope);
    s.schedule(nullptr, *b);
  };
  Gate gate;
  std::atomic<int> ran{0};
  in_scope(outer, c, [&](int&) { gate.wait(); });
  gate.await(1);
  for (int i = 0; i < 100; ++i) in_scope(inner, d, [&](int&) { ran.fetch_add(1); });
  while (!inner->wait_for(1h)) {
  }
  CHECK_EQ(ran.load(), 100);
  CHECK(!outer->idle());
  in_scope(inner, c, [&](int&) { ran.fetch_add(1000); });
  in_scope(outer, c, [&](int&) { ran.fetch_add(1); });
  inner->cancel();
  gate.open.store(true);
  while (!outer->wait_for(1h)) {
  }
  CHECK(inner->idle());
  CHECK_EQ(ran.load(), 101);
  inner->unref();
  outer->unref();
  runtime.wait();
}

// A worker keeps counts of a scope to itself for a while. If it goes on with a long behavior of another scope, whoever
// waits for the first one must not wait for that.
TEST(life, a_scope_is_idle_although_its_worker_is_busy_elsewhere) {
  Runtime runtime(1);
  Scheduler& s = runtime.scheduler();
  auto* scope = new Scope(&s.root());
  auto c = make_cown<int>(0);
  auto d = make_cown<int>(0);
  Gate begin, gate;
  when(make_cown<int>(0)) << [&](int&) { begin.wait(); };
  begin.await(1);  // the one worker: now both can be queued behind each other
  Behavior* b = make_behavior(runtime, nullptr, [](auto&...) {}, c);
  b->scope->give_back(1);
  b->scope = scope;
  Scheduler::count_in(nullptr, *scope);
  s.schedule(nullptr, *b);
  when(d) << [&](int&) { gate.wait(); };
  begin.open.store(true);
  while (!scope->wait_for(1h)) {
  }
  gate.open.store(true);
  scope->unref();
  runtime.wait();
}

TEST(life, main_lane) {
  Runtime runtime(2);
  Scheduler& s = runtime.scheduler();
  Worker main_worker(s, s.worker_count());
  auto c = make_cown<int>(0);
  const auto main_thread = std::this_thread::get_id();
  std::atomic<int> woken{0};
  s.main_lane().on_push([](void* n) { static_cast<std::atomic<int>*>(n)->fetch_add(1); }, &woken);
  int on_main = 0;
  for (int i = 0; i < 100; ++i) {
    when(c) << [](int& n) { ++n; };
    Behavior* b = make_behavior(
        runtime, nullptr,
        [&](int& n) {
          CHECK(std::this_thread::get_id() == main_thread);
          ++on_main;
          ++n;
        },
        c);
    b->lane = Lane::MAIN;
    s.schedule(nullptr, *b);
  }
  CHECK(!s.try_stop());
  while (on_main < 100) {
    if (!s.run_main(main_worker)) std::this_thread::yield();
  }
  runtime.wait();
  CHECK(!s.run_main(main_worker));
  CHECK_EQ(woken.load(), 100);
  CHECK_EQ(get(c), 200);
  s.main_lane().on_push(nullptr, nullptr);
}

TEST(life, extra_conditions) {
  Runtime runtime(2);
  Scheduler& s = runtime.scheduler();
  auto c = make_cown<int>(0);
  std::atomic<bool> ran{false};
  Behavior* b = make_behavior(runtime, nullptr, [&](auto&...) { ran.store(true); }, c);
  b->countdown.fetch_add(2);
  s.schedule(nullptr, *b);
  s.satisfy(nullptr, *b);
  CHECK(!s.root().wait_for(1ms));
  CHECK(!ran.load());
  s.satisfy(nullptr, *b);
  runtime.wait();
  CHECK(ran.load());
}

TEST(life, two_schedulers_side_by_side) {
  Runtime one(2);
  Runtime two(2);
  auto c = make_cown<Guarded>();
  const int n = check::times(5000);
  check::in_threads(2, [&](int me) {
    for (int i = 0; i < n; ++i) when_on(me ? one : two, c) << [](Guarded& g) { g.write(); };
  });
  one.wait();
  two.wait();
  one.wait();
  CHECK_EQ(c.payload()->value.n, 2L * n);
}

TEST(life, statistics_add_up) {
  Runtime runtime(2);
  auto c = make_cown<int>(0);
  for (int i = 0; i < 1000; ++i) when(c) << [](int& n) { ++n; };
  runtime.wait();
  uint64_t executed = 0, begun = 0;
  for (unsigned i = 0; i < 2; ++i) {
    WorkerStats& stats = runtime.scheduler().stats(i);
    executed += stats.executed.get();
    begun += stats.from_next.get() + stats.from_queue.get() + stats.from_injector.get();
    CHECK(stats.steal_failures.get() <= stats.steal_attempts.get());
  }
  CHECK_EQ(executed, uint64_t{1000});
  CHECK(begun > 0 && begun <= 1000);
  runtime.scheduler().stats(0).reset();
  CHECK_EQ(runtime.scheduler().stats(0).executed.get(), uint64_t{0});
}
