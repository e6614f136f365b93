// What happens to cowns that nobody refers to any longer: destructors that schedule, long chains, leaks.
#include "native_support.h"

using namespace support;

namespace {

struct Node {
  cown<Node> next;
  Counted counted;
};

// Schedules when it is destroyed.
struct Schedules {
  cown<int> target;
  int left = 0;
  ~Schedules() {
    if (!target) return;
    auto again = make_cown<Schedules>();
    if (left > 0) {
      again.payload()->value.target = target;
      again.payload()->value.left = left - 1;
    }
    when(std::move(target)) << [again](int& n) { ++n; };
  }
};

}  // namespace

TEST(drop, nothing_leaks) {
  CHECK_EQ(Counted::live.load(), 0L);
  {
    Runtime runtime(3);
    auto hub = make_cown<Counted>(0);
    check::in_threads(2, [&](int) {
      for (int i = 0; i < check::times(10000); ++i) {
        auto fresh = make_cown<Counted>(i);
        cown<Counted> result = when_on(runtime, hub, read(fresh)) << [c = Counted(1)](Counted& h, const Counted& f) {
          h.n += f.n;
          if (f.n % 7 == 0) throw std::runtime_error("a failed one");
          return Counted(f.n);
        };
        when_on(runtime, result) << [](Counted& r) { r.n = 0; };
      }
    });
  }
  CHECK_EQ(Counted::live.load(), 0L);
}

// A behavior has no handles of its own: the queues keep its cowns, as long as it may use them.
TEST(drop, cowns_that_only_a_behavior_uses) {
  Runtime runtime(1);
  auto gate = make_cown<Gate>();
  when(gate) << [](Gate& g) { g.wait(); };
  cown<long> sum;
  {
    std::vector<cown<Counted>> some{make_cown<Counted>(2), make_cown<Counted>(3)};
    sum = when(make_cown<Counted>(1), read(std::move(some)), gate)
          << [](Counted& one, std::vector<const Counted*> more, Gate&) { return one.n + more[0]->n + more[1]->n; };
  }
  CHECK_EQ(Counted::live.load(), 3L);
  gate.payload()->value.open = true;
  CHECK_EQ(get(sum), 6L);
  runtime.wait();
  CHECK_EQ(Counted::live.load(), 0L);
}

// A cown in a cown in a cown: dropped on a worker, and by a handle outside. A recursion would overflow the stack.
TEST(drop, deep_chains) {
  const int depth = check::times(300000);
  for (bool outside : {false, true}) {
    Runtime runtime(1);
    cown<Node> head;
    for (int i = 0; i < depth; ++i) {
      auto node = make_cown<Node>();
      node.payload()->value.next = std::move(head);
      head = std::move(node);
    }
    CHECK_EQ(Counted::live.load(), static_cast<long>(depth));
    if (outside) {
      head = {};
    } else {
      when(make_cown<int>(0)) << [chain = std::move(head)](int&) mutable { chain = {}; };
      runtime.wait();
    }
    CHECK_EQ(Counted::live.load(), 0L);
  }
}

// Each behavior's captures hold the only handle on the next cown, and each of those waits behind one cown.
TEST(drop, deep_chains_through_behaviors) {
  const int depth = check::times(100000);
  Runtime runtime(2);
  auto key = make_cown<int>(0);
  Gate gate;
  when(key) << [&gate](int&) { gate.wait(); };
  cown<Counted> last = make_cown<Counted>(0);
  for (int i = 0; i < depth; ++i) {
    last = when(last, key) << [](Counted& c, int& n) {
      ++n;
      return Counted(c.n + 1);
    };
  }
  cown<long> total = when(std::move(last)) << [](Counted& c) { return c.n; };
  gate.open.store(true);
  CHECK_EQ(get(total), static_cast<long>(depth));
  runtime.wait();
  CHECK_EQ(Counted::live.load(), 0L);
}

TEST(drop, destructors_may_schedule) {
  const int n = check::times(3000);
  auto target = make_cown<int>(0);
  {
    Runtime runtime(2);
    for (int i = 0; i < n; ++i) {
      auto c = make_cown<Schedules>();
      c.payload()->value.target = target;
      c.payload()->value.left = 3;
      when(c) << [](Schedules&) {};  // the queue's reference is the last one: dropped by a worker
    }
    runtime.wait();
  }
  CHECK_EQ(target.payload()->value, n * 4);  // with 3, 2, 1 and 0 left
}

TEST(drop, captures_are_gone_before_the_result_is_seen) {
  Runtime runtime(2);
  auto c = make_cown<int>(0);
  for (int i = 0; i < check::times(2000); ++i) {
    cown<int> result = when(c) << [held = Counted(1)](int&) { return static_cast<int>(held.n); };
    CHECK_EQ(get(result), 1);
    CHECK_EQ(Counted::live.load(), 0L);
  }
}

// Threads drop the last handle while the behavior that holds the cown releases it.
TEST(drop, handles_against_releases) {
  Runtime runtime(2);
  for (int i = 0; i < check::times(20000); ++i) {
    auto c = make_cown<Counted>(i);
    if (i % 2) {
      when(read(c)) << [](const Counted&) {};
    } else {
      when(c) << [](Counted& n) { n.n = 0; };
    }
    if (i % 3 == 0) std::this_thread::yield();
    c = {};
  }
  runtime.wait();
  CHECK_EQ(Counted::live.load(), 0L);
}
