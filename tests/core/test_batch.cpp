// Batches through the C++ backend, with other schedulers in between.
#include "native_support.h"

using namespace support;

namespace {

// Appends `mark` to the log of each cown.
struct Append {
  int mark;
  void operator()(Guarded& g) { g.log.push_back(mark); }
  void operator()(Guarded& g, Guarded& h) {
    g.log.push_back(mark);
    h.log.push_back(mark);
  }
};

}  // namespace

// Each batch is three behaviors on x and two on y; what other threads schedule comes before or after the whole.
TEST(batch, nothing_gets_in_between) {
  const int n = check::times(2000);
  Runtime runtime(3);
  auto x = make_cown<Guarded>();
  auto y = make_cown<Guarded>();
  check::in_threads(4, [&](int me) {
    for (int i = 0; i < n; ++i) {
      if (me == 3) {
        when_on(runtime, x, y) << Append{-1};
        continue;
      }
      const int mark = (me * n + i) * 4;
      std::vector<Behavior*> all{make_behavior(runtime, nullptr, Append{mark}, x),
                                 make_behavior(runtime, nullptr, Append{mark + 1}, y),
                                 make_behavior(runtime, nullptr, Append{mark + 2}, y, x),
                                 make_behavior(runtime, nullptr, Append{mark + 3}, x)};
      runtime.scheduler().schedule_batch(nullptr, all);
    }
  });
  runtime.wait();
  auto check_log = [&](const std::vector<int>& log, std::vector<int> pattern) {
    CHECK_EQ(log.size(), static_cast<size_t>(n) + 3 * static_cast<size_t>(n) * pattern.size());
    for (size_t i = 0; i < log.size();) {
      if (log[i] == -1) {
        ++i;
        continue;
      }
      const int mark = log[i] / 4 * 4;
      for (int offset : pattern) REQUIRE(i < log.size() && log[i++] == mark + offset);
    }
  };
  check_log(x.payload()->value.log, {0, 2, 3});
  check_log(y.payload()->value.log, {1, 2});
}

// The second member needs the first one's result and shares no cown with it; the third needs the second one's.
TEST(batch, members_use_results_of_members) {
  Runtime runtime(2);
  for (int i = 0; i < check::times(2000); ++i) {
    auto c = make_cown<int>(0);
    std::atomic<int> order{0};
    auto step = [&order](int expected) {
      return [&order, expected](auto&...) { CHECK_EQ(order.fetch_add(1), expected); };
    };
    cown<int> first, second;
    std::vector<Behavior*> all{make_behavior(runtime, &first, step(0), c),
                               make_behavior(runtime, &second, step(1), first),
                               make_behavior(runtime, nullptr, step(2), read(second), read(first))};
    runtime.scheduler().schedule_batch(nullptr, all);
    runtime.wait();
    CHECK_EQ(order.load(), 3);
  }
}

TEST(batch, of_one_and_of_many) {
  Runtime runtime(2);
  auto c = make_cown<Guarded>();
  std::vector<Behavior*> one{make_behavior(runtime, nullptr, Append{0}, c)};
  runtime.scheduler().schedule_batch(nullptr, one);
  std::vector<Behavior*> many;
  for (int i = 1; i <= 1000; ++i) many.push_back(make_behavior(runtime, nullptr, Append{i}, c));
  runtime.scheduler().schedule_batch(nullptr, many);
  runtime.scheduler().schedule_batch(nullptr, std::vector<Behavior*>{});
  runtime.wait();
  auto& log = c.payload()->value.log;
  REQUIRE(log.size() == 1001);
  for (int i = 0; i <= 1000; ++i) CHECK_EQ(log[static_cast<size_t>(i)], i);
}
