// Workers that are kept from one period to the next: their life, orders, errands and nudges.
#include "homes_support.h"

using namespace homes;

TEST(kept, threads_stay_from_period_to_period) {
  homes::Backend backend;
  {
    Scheduler s(backend);
    std::thread::id first[MOST];
    int periods[MOST] = {};
    unsigned kept = 0;
    for (unsigned n : {2u, 4u, 1u, 3u, 5u, 5u}) {
      s.start(n);
      CHECK(s.running());
      CHECK_EQ(s.worker_count(), n);
      kept = std::max(kept, n);
      CHECK_EQ(s.kept_count(), kept);
      for (unsigned i = 0; i < n; ++i) {
        CHECK_EQ(s.kept_worker(i).index(), i);
        if (periods[i]++ == 0) first[i] = backend.homes[i].thread;
      }
      for (int k = 0; k < 50; ++k) post(s, {});
      stop(s);
      CHECK(!s.running());
      CHECK_EQ(s.worker_count(), n);
      for (unsigned i = 0; i < kept; ++i) {
        CHECK(backend.homes[i].thread == first[i]);
        CHECK_EQ(backend.homes[i].started.load(), 1);
        CHECK_EQ(backend.homes[i].resumed.load(), periods[i] - 1);
        CHECK_EQ(backend.homes[i].stopped.load(), periods[i]);
      }
    }
    CHECK_EQ(backend.ran.load(), 300);
    s.end();
    for (unsigned i = 0; i < kept; ++i) CHECK_EQ(backend.homes[i].ended.load(), 1);
    s.end();  // there is nobody any more
    CHECK_EQ(s.kept_count(), 0u);
    s.start(2);  // afresh
    CHECK_EQ(backend.homes[0].started.load(), 2);
    post(s, {});
    stop(s);
  }  // ends them, too
  CHECK_EQ(backend.homes[0].ended.load(), 2);
  CHECK_EQ(backend.homes[2].ended.load(), 1);
  CHECK_EQ(backend.ran.load(), 301);
}

TEST(kept, a_scheduler_that_still_runs_ends_them) {
  homes::Backend backend;
  {
    Scheduler s(backend);
    s.start(3);
    s.root().cancel();
    for (int i = 0; i < 3000; ++i) post(s, i % 2 ? fixed(i % 3) : Place{});
  }
  CHECK_EQ(backend.cancelled.load() + backend.ran.load(), 3000);
  CHECK_EQ(backend.retired.load(), 3000);
  for (int i = 0; i < 3; ++i) CHECK_EQ(backend.homes[i].ended.load(), 1);
}

namespace {

bool start_fails(Scheduler& s, unsigned n, const char* why) {
  try {
    s.start(n);
  } catch (const std::runtime_error& e) {
    return std::string(e.what()) == why;
  }
  return false;
}

}  // namespace

TEST(kept, a_first_start_that_fails_leaves_nobody) {
  for (int at = 0; at < 3; ++at) {
    homes::Backend backend;
    Scheduler s(backend);
    backend.fail_start_at = at;
    for (int i = 0; i < 20; ++i) post(s, {});
    CHECK(start_fails(s, 3, "no more workers"));
    CHECK(!s.running());
    CHECK_EQ(s.kept_count(), 0u);
    CHECK_EQ(backend.ran.load(), 0);  // K2: nobody has run anything yet
    for (int i = 0; i < 3; ++i) {
      CHECK_EQ(backend.homes[i].stopped.load(), i == at ? 0 : 1);
      CHECK_EQ(backend.homes[i].ended.load(), i == at ? 0 : 1);
    }
    backend.fail_start_at = -1;
    s.start(2);
    stop(s);
    CHECK_EQ(backend.ran.load(), 20);
  }
}

TEST(kept, a_later_start_that_fails_leaves_those_that_were_there) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(2);
  stop(s);
  backend.fail_start_at = 3;
  CHECK(start_fails(s, 4, "no more workers"));
  CHECK_EQ(s.kept_count(), 2u);
  for (int i = 0; i < 2; ++i) CHECK_EQ(backend.homes[i].stopped.load(), 2);
  CHECK_EQ(backend.homes[2].ended.load(), 1);
  CHECK_EQ(backend.homes[0].ended.load(), 0);
  backend.fail_start_at = -1;
  for (int at = 0; at < 2; ++at) {
    backend.fail_resume_at = at;
    CHECK(start_fails(s, 3, "does not wake up"));
    CHECK_EQ(s.kept_count(), 2u);
    CHECK(!s.running());
  }
  backend.fail_resume_at = -1;
  backend.post_errand(s.kept_worker(1));
  backend.await_errands(1, 1);
  s.start(4);
  post(s, fixed(1));
  post(s, fixed(3));
  stop(s);
  CHECK_EQ(backend.ran.load(), 2);
  CHECK_EQ(backend.homes[0].started.load(), 1);
  CHECK_EQ(backend.homes[0].stopped.load(), 1 + backend.homes[0].resumed.load());
  CHECK_EQ(backend.homes[1].stopped.load(), 1 + backend.homes[1].resumed.load());
}

TEST(kept, errands_in_every_state) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(3);
  int n = 0;
  auto all = [&](int workers) {
    ++n;
    for (int i = 0; i < workers; ++i) backend.post_errand(s.kept_worker(static_cast<unsigned>(i)));
    for (int i = 0; i < workers; ++i) backend.await_errands(i, n);
  };
  all(3);                             // just started
  std::this_thread::sleep_for(20ms);  // idle
  all(3);
  stop(s);
  all(3);  // just stopped
  std::this_thread::sleep_for(20ms);
  all(3);  // at rest
  s.start(1);
  std::this_thread::sleep_for(20ms);
  all(3);  // two have no part in this period
  Busy busy(s, 0);
  backend.post_errand(s.kept_worker(0));
  std::this_thread::sleep_for(10ms);
  CHECK_EQ(backend.homes[0].errands_run.load(), n);  // between behaviors, not within
  busy.open();
  backend.await_errands(0, n + 1);
  stop(s);
}

// A worker that goes from one behavior to the next, through its slot, looks at its errands all the same.
TEST(kept, errands_between_behaviors) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(1);
  Value value;
  std::atomic<bool> over{false};
  const std::function<void(Worker&)> again = [&](Worker&) {
    if (!over.load()) post(s, {}, again, {&value});
  };
  for (int i = 0; i < 2; ++i) post(s, {}, again, {&value});
  for (int i = 1; i <= 20; ++i) {
    backend.post_errand(s.kept_worker(0));
    backend.await_errands(0, i);
  }
  over.store(true);
  stop(s);
}

// W3, without luck: the errand comes right after a look that did not find it, the first, second ... one since a nudge.
// Before the next sleep there is another look.
TEST(kept, an_errand_that_comes_after_a_look) {
  homes::Backend backend;
  std::atomic<int> looks[2] = {{-1}, {-1}};
  Scheduler s(backend);
  backend.looked = [&](const Worker& w) {
    if (w.index() < 2 && looks[w.index()].fetch_sub(1) == 0) backend.post_errand(s.kept_worker(w.index()));
  };
  int n = 0;
  auto hit = [&](unsigned home) {
    for (int look = 0; look < 3; ++look) {
      std::this_thread::sleep_for(1ms);
      const int run = backend.homes[home].errands_run.load();
      looks[home].store(look);
      // It may take several nudges until it has looked so often.
      check::until([&] {
        if (looks[home].load() >= 0) s.kept_worker(home).nudge();
        return backend.homes[home].errands_run.load() > run;
      });
      ++n;
    }
  };
  s.start(2);
  hit(0);  // idle
  stop(s);
  hit(0);  // at rest
  s.start(1);
  hit(1);  // without a part in the period
  stop(s);
  CHECK_EQ(n, 9);
}

// Behaviors that keep their workers while they wait: what is ready is nobody's who is free.
TEST(kept, quiet_but_for_those_that_wait) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(3);
  stop(s);
  s.start(2);  // the third one rests
  std::atomic<Strand*> waiting[2] = {};
  auto wait_at = [&](int place) {
    post(s, fixed(place), [&, place](Worker& w) {
      Strand& self = w.strands().current();
      self.begin_wait(true);
      waiting[place] = &self;
      CHECK(w.strands().block(NO_DEADLINE) == Woken::RESUMED);
    });
    check::until([&] { return waiting[place].load() != nullptr; });
  };
  std::atomic<int> ran{0};
  wait_at(0);
  check::until([&] { return s.quiet(); });
  homes::Busy other(s, 1);
  CHECK(!s.quiet());
  other.open();
  wait_at(1);
  check::until([&] { return s.quiet(); });
  post(s, fixed(0), [&](Worker&) { ++ran; });
  post(s, {}, [&](Worker&) { ++ran; });
  check::until([&] { return s.quiet(); });  // nobody is free to run it
  CHECK_EQ(ran.load(), 0);
  waiting[1].load()->resume();
  check::until([&] { return ran.load() == 1 && s.quiet(); });
  waiting[0].load()->resume();
  drain(s);
  CHECK_EQ(ran.load(), 2);
  check::until([&] { return s.quiet(); });
  stop(s);
}

// W1: an errand may take long, so what would have come next can be taken by others.
TEST(kept, an_errand_keeps_nothing_waiting) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(2);
  Value value;
  support::Gate first, errand;
  std::atomic<int> ran{0};
  post(s, fixed(0), [&](Worker&) { first.wait(); }, {&value});
  first.await(1);
  for (int i = 0; i < 5; ++i) post(s, {}, [&](Worker&) { ++ran; }, {&value});
  backend.post_errand(s.kept_worker(0), [&](Worker&) { errand.wait(); });
  first.open = true;
  check::until([&] { return ran.load() == 5; });
  drain(s);  // W2: nor who waits for what has ended
  errand.await(1);
  errand.open = true;
  stop(s);
}

// Nor is it counted as searching: producers would wake nobody then.
TEST(kept, an_errand_is_no_search) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(2);
  for (int round = 0; round < 10; ++round) {
    std::this_thread::sleep_for(1ms);  // both sleep
    support::Gate errand;
    backend.post_errand(s.kept_worker(0), [&](Worker&) { errand.wait(); });
    errand.await(1);
    post(s, {});
    drain(s);
    errand.open = true;
    backend.await_errands(0, round + 1);
  }
  stop(s);
}

TEST(kept, errands_schedule) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(2);
  backend.post_errand(s.kept_worker(0), [&](Worker&) { post(s, {}); });
  backend.post_errand(s.kept_worker(1), [&](Worker&) { post(s, fixed(1)); });
  check::until([&] { return backend.ran.load() == 2; });
  drain(s);
  stop(s);
  backend.post_errand(s.kept_worker(0), [&](Worker&) {
    post(s, {});
    post(s, fixed(0));
    post(s, fixed(1));
    post(s, rather(1));
    post(s, heavy(1));
  });
  backend.await_errands(0, 2);
  std::this_thread::sleep_for(10ms);
  CHECK_EQ(backend.ran.load(), 2);  // H3
  CHECK(!s.root().idle());
  s.start(1);
  drain(s);  // no credits are left with the one that ran the errand
  CHECK_EQ(backend.ran.load(), 7);
  backend.stopping = [&](Worker& w) { post(s, fixed(static_cast<int>(w.index()))); };
  stop(s);
  backend.stopping = nullptr;
  CHECK(!s.root().idle());
  s.start(2);
  stop(s);
  CHECK_EQ(backend.ran.load(), 8);
}

// W3: errands from several threads, to workers in any state, while the scheduler starts and stops. With a nudge lost an
// errand stays, and the watchdog ends the test.
TEST(kept, no_nudge_is_lost) {
  homes::Backend backend;
  Scheduler s(backend);
  s.start(4);
  std::atomic<bool> over{false};
  std::thread life([&] {
    for (unsigned i = 0; !over.load(); ++i) {
      if (i % 3) std::this_thread::sleep_for(200us);
      stop(s);
      if (i % 2) std::this_thread::sleep_for(200us);
      s.start(1 + i % 4);
    }
  });
  const int n = check::times(20000);
  std::atomic<int> mine[4] = {};
  check::in_threads(2, [&](int me) {
    unsigned random = 17u + static_cast<unsigned>(me);
    for (int i = 0; i < n; ++i) {
      random = random * 1664525u + 1013904223u;
      const unsigned to = random >> 30;
      backend.post_errand(s.kept_worker(to));
      const int posted = mine[to].fetch_add(1) + 1;
      // Mostly one at a time, so that they meet sleeping workers.
      if (i % 8) check::until([&] { return backend.homes[to].errands_run.load() >= posted || posted % 5 == 0; });
    }
  });
  for (int i = 0; i < 4; ++i) backend.await_errands(i, mine[i].load());
  over.store(true);
  life.join();
  stop(s);
}

// H1 with homes.
TEST(kept, scheduling_against_stopping) {
  homes::Backend backend;
  std::mutex lifecycle;
  Scheduler s(backend);
  s.start(3);
  const int n = check::times(3000);
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
  check::in_threads(2, [&](int me) {
    for (int i = 0; i < n; ++i) {
      const int worker = (i + me) % 3;
      post(s, i % 4 == 0 ? Place{} : i % 4 == 1 ? fixed(worker) : i % 4 == 2 ? heavy(worker) : rather(worker));
      if (s.running()) continue;
      std::lock_guard lock(lifecycle);
      if (!s.running()) s.start(1 + static_cast<unsigned>(i % 3));
    }
  });
  over.store(true);
  stopper.join();
  if (!s.running() && !s.root().idle()) s.start(2);
  if (s.running()) stop(s);
  CHECK_EQ(backend.ran.load(), 2 * n);
  CHECK_EQ(backend.retired.load(), 2 * n);
}

// What is cancelled and ready is dropped, wherever it must run; what waits for a cown that somebody holds stays.
TEST(kept, stopping_for_good) {
  homes::Backend backend;
  std::atomic<int> ran{0};
  {
    Scheduler s(backend);
    s.start(3);
    stop(s);
    s.start(1);
    Value values[3];
    Busy busy(s, 0);
    for (int i = 0; i < 300; ++i) post(s, fixed(i % 3), [&](Worker&) { ++ran; }, {&values[i % 3]});
    for (int i = 0; i < 300; ++i) post(s, fixed(i % 3), [&](Worker&) { ++ran; }, {&values[(i + 1) % 3]});
    s.root().cancel();
    busy.open();
    s.stop_for_good();
    CHECK_EQ(backend.retired.load(), 601);
    CHECK(!s.running());
    s.stop_for_good();  // again: nothing
    s.end();
  }
  CHECK(ran.load() < 600);
}

TEST(kept, memory_and_statistics_after_a_period) {
  homes::Backend backend;
  Scheduler s(backend);
  for (int period = 0; period < 3; ++period) {
    s.start(2);
    for (int i = 0; i < 100; ++i) post(s, fixed(i % 2));
    stop(s);
    CHECK_EQ(s.stats(0).executed.get(), uint64_t{50});  // of this period alone
    CHECK_EQ(s.stats(1).executed.get(), uint64_t{50});
  }
}
