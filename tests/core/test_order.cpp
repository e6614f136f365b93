// The protocol through the C++ backend: exclusion, order, readers, cascades.
#include "native_support.h"

using namespace support;

TEST(order, writers_exclude_each_other) {
  const int n = check::times(20000);
  Runtime runtime(4);
  auto c = make_cown<Guarded>();
  check::in_threads(3, [&](int) {
    for (int i = 0; i < n; ++i) when_on(runtime, c) << [](Guarded& g) { g.write(); };
  });
  runtime.wait();
  CHECK_EQ(c.payload()->value.n, 3L * n);
}

TEST(order, behaviors_that_share_a_cown_run_in_order) {
  const int n = check::times(20000);
  Runtime runtime(4);
  auto shared = make_cown<Guarded>();
  std::vector<cown<int>> others;
  for (int i = 0; i < 8; ++i) others.push_back(make_cown<int>(0));
  for (int i = 0; i < n; ++i) {
    // Each with another cown beside it, so that they become ready on different workers.
    when(shared, others[static_cast<size_t>(i * 5 % 8)]) << [i](Guarded& g, int&) { g.log.push_back(i); };
  }
  runtime.wait();
  auto& log = shared.payload()->value.log;
  REQUIRE(log.size() == static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) REQUIRE(log[static_cast<size_t>(i)] == i);
}

TEST(order, what_a_behavior_schedules_comes_after_it) {
  Runtime runtime(2);
  auto c = make_cown<Guarded>();
  auto d = make_cown<Guarded>();
  for (int i = 0; i < check::times(2000); ++i) {
    when(c, d) << [c, d, i](Guarded& x, Guarded&) {
      x.log.push_back(2 * i);
      when(c) << [i](Guarded& g) { g.log.push_back(2 * i + 1); };
    };
    runtime.wait();
  }
  auto& log = c.payload()->value.log;
  for (size_t i = 0; i < log.size(); ++i) REQUIRE(log[i] == static_cast<int>(i));
}

// Two readers of one cown wait for each other: they can only both end if they run at the same time.
TEST(order, readers_run_in_parallel) {
  Runtime runtime(2);
  auto c = make_cown<int>(0);
  for (int i = 0; i < check::times(200); ++i) {
    std::atomic<int> inside{0};
    auto meet = [&inside](const int&) {
      inside.fetch_add(1);
      check::until([&] { return inside.load() == 2; });
    };
    if (i % 2) when(c) << [](int& n) { ++n; };  // woken together by a writer, or joining each other
    when(read(c)) << meet;
    when(read(c)) << meet;
    when(c) << [](int& n) { ++n; };
    runtime.wait();
  }
  CHECK_EQ(get(c), check::times(200) + check::times(200) / 2);
}

// A worker that is in the middle of a long behavior has woken readers, or anything else, in its own queue: others take
// it from there.
TEST(order, what_waits_behind_a_long_behavior_is_stolen) {
  Runtime runtime(2);
  auto a = make_cown<int>(0);
  for (int i = 0; i < check::times(300); ++i) {
    std::atomic<bool> ran{false};
    when(a) << [&ran](int&) {
      auto fresh = make_cown<int>(0);
      when(fresh) << [&ran](int&) { ran.store(true); };
      check::until([&] { return ran.load(); });  // only the other worker can do it
    };
    runtime.wait();
  }
}

TEST(order, mixes_of_readers_and_writers) {
  const int n = check::times(8000);
  for (unsigned workers : {1u, 2u, 8u}) {
    Runtime runtime(workers);
    auto c = make_cown<Guarded>();
    auto d = make_cown<Guarded>();
    std::atomic<long> writes{0};
    check::in_threads(4, [&](int me) {
      unsigned state = static_cast<unsigned>(me) * 7919 + 13;
      for (int i = 0; i < n; ++i) {
        state = state * 1664525 + 1013904223;
        switch (state >> 29) {
          case 0:
            writes.fetch_add(1);
            when_on(runtime, c) << [](Guarded& g) { g.write(); };
            break;
          case 1:
            writes.fetch_add(1);
            when_on(runtime, c, read(d)) << [](Guarded& g, const Guarded& r) {
              g.write();
              r.read();
            };
            break;
          case 2:
            when_on(runtime, d, read(c)) << [](Guarded& g, const Guarded& r) {
              g.write();
              r.read();
            };
            break;
          case 3:
            when_on(runtime, read(c), read(d)) << [](const Guarded& x, const Guarded& y) {
              x.read();
              y.read();
            };
            break;
          default:
            when_on(runtime, read(c)) << [](const Guarded& r) { r.read(); };
        }
      }
    });
    runtime.wait();
    CHECK_EQ(c.payload()->value.n, writes.load());
    CHECK(c.payload()->idle() && c.payload()->refs.load() == 1);
    CHECK(d.payload()->idle() && d.payload()->refs.load() == 1);
  }
}

// A pair that has one of its cowns, a request for that one alone, and another pair behind it: on the second cown the
// second pair must not come first, or both wait for ever (R1).
TEST(order, single_requests_between_pairs) {
  const int n = check::times(20000);
  Runtime runtime(2);
  auto c = make_cown<Guarded>();
  auto d = make_cown<Guarded>();
  check::in_threads(4, [&](int me) {
    for (int i = 0; i < n; ++i) {
      if (me < 2) {
        when_on(runtime, c, d) << [](Guarded& x, Guarded& y) {
          x.write();
          y.write();
        };
      } else if (i % 2) {
        when_on(runtime, me == 2 ? c : d) << [](Guarded& g) { g.write(); };
      } else {
        when_on(runtime, read(me == 2 ? c : d)) << [](const Guarded& g) { g.read(); };
      }
    }
  });
  runtime.wait();
  CHECK_EQ(c.payload()->value.n, 2L * n + n / 2);
  CHECK_EQ(d.payload()->value.n, 2L * n + n / 2);
}

TEST(order, groups_and_duplicates) {
  Runtime runtime(2);
  std::vector<cown<long>> cells;
  for (int i = 0; i < 10; ++i) cells.push_back(make_cown<long>(1));
  auto first = cells[0];
  cown<long> sum = when(read(cells), first, first) << [](std::vector<const long*> all, long& a, long& b) {
    CHECK(&a == &b && all[0] == &a);  // one argument for each request, one cown
    a += 5;
    long total = 0;
    for (const long* n : all) total += *n;
    return total;
  };
  CHECK_EQ(get(sum), 15L);
  when(std::vector<cown<long>>{}) << [](std::vector<long*> none) { CHECK(none.empty()); };
  when() << [] {};
  runtime.wait();
}

TEST(order, results_and_errors) {
  Runtime runtime(2);
  auto c = make_cown<int>(20);
  cown<int> one = when(c) << [](int& n) { return n + 1; };
  cown<int> two = when(one) << [](int& n) { return n * 2; };
  CHECK_EQ(get(two), 42);
  cown<int> bad = when(c) << [](int&) -> int { throw std::runtime_error("no"); };
  bool threw = false;
  try {
    get(bad);
  } catch (const std::runtime_error& e) {
    threw = std::string(e.what()) == "no";
  }
  CHECK(threw);
  CHECK_EQ(get(c), 20);
}

TEST(order, wrong_uses_are_told) {
  Runtime runtime(1);
  bool told = false;
  try {
    when(cown<int>()) << [](int&) {};
  } catch (const std::invalid_argument&) {
    told = true;
  }
  CHECK(told);
  auto c = make_cown<int>(1);
  cown<bool> refused = when(c) << [c, &runtime](int&) {
    int n = 0;
    try {
      get(c, runtime);
    } catch (const std::logic_error&) {
      ++n;
    }
    try {
      runtime.wait();
    } catch (const std::logic_error&) {
      ++n;
    }
    return n == 2;
  };
  CHECK(get(refused));
}
