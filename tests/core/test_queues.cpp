// WorkQueue, Injector and MainLane alone.
#include <deque>
#include <memory>

#include "boc/work_queue.h"
#include "check.h"

using namespace boc;

namespace {

struct Item : Behavior {
  int number = 0;
  int thread = 0;
  atomic<int> taken{0};
};

int number_of(Behavior* b) {
  return b ? static_cast<Item*>(b)->number : -1;
}

std::deque<Item> items(int n) {
  std::deque<Item> all(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) all[static_cast<size_t>(i)].number = i;
  return all;
}

}  // namespace

TEST(queues, behavior_list) {
  auto all = items(4);
  BehaviorList a, b;
  CHECK(a.empty() && a.pop() == nullptr);
  a.push(&all[0]);
  b.push(&all[1]);
  b.push(&all[2]);
  a.append(b);
  CHECK(b.empty());
  a.append(b);
  a.push(&all[3]);
  for (int i = 0; i < 4; ++i) CHECK_EQ(number_of(a.pop()), i);
  CHECK(a.empty());
}

TEST(queues, first_in_first_out) {
  auto all = items(10);
  WorkQueue queue;
  CHECK(queue.empty() && queue.pop() == nullptr);
  queue.push(&all[0]);
  BehaviorList list;
  for (size_t i = 1; i < 9; ++i) list.push(&all[i]);
  queue.push(list, 8);
  queue.push(&all[9]);
  CHECK_EQ(queue.size(), size_t{10});
  for (int i = 0; i < 10; ++i) CHECK_EQ(number_of(queue.pop()), i);
  CHECK(queue.empty());
}

TEST(queues, steal_takes_the_older_half) {
  auto all = items(7);
  WorkQueue from, to;
  CHECK_EQ(from.steal(to, 64), size_t{0});
  for (Item& i : all) from.push(&i);
  CHECK_EQ(from.steal(to, 64), size_t{4});  // of 7
  CHECK_EQ(from.steal(to, 1), size_t{1});   // of 3, but one is allowed
  CHECK_EQ(from.size(), size_t{2});
  CHECK_EQ(to.size(), size_t{5});
  for (int i = 0; i < 5; ++i) CHECK_EQ(number_of(to.pop()), i);
  CHECK_EQ(from.steal(to, 64), size_t{1});
  CHECK_EQ(from.steal(to, 64), size_t{1});  // a single one is half enough
  CHECK(from.empty());
  from.push(&all[0]);  // the emptied queue still works
  CHECK_EQ(number_of(from.pop()), 0);
  CHECK_EQ(number_of(to.pop()), 5);
  CHECK_EQ(number_of(to.pop()), 6);
  CHECK(to.pop() == nullptr);
}

TEST(queues, nothing_is_lost_or_doubled_by_thieves) {
  const int n = check::times(40000);
  auto all = items(n);
  WorkQueue queues[3];
  atomic<int> taken{0};
  check::in_threads(3, [&](int me) {
    auto take = [&](Behavior* b) {
      if (!b) return;
      static_cast<Item*>(b)->taken.fetch_add(1);
      taken.fetch_add(1);
    };
    if (me == 0) {
      for (Item& i : all) {
        queues[0].push(&i);
        if (i.number % 3 == 0) take(queues[0].pop());
      }
    }
    while (taken.load() < n) {
      take(queues[me].pop());
      if (queues[(me + 1) % 3].steal(queues[me], 64) == 0) std::this_thread::yield();
    }
  });
  for (Item& i : all) CHECK_EQ(i.taken.load(), 1);
}

TEST(queues, injector_overflows_and_keeps_the_order) {
  const int n = 5000;  // several times what the ring holds
  auto all = items(n);
  Injector injector;
  CHECK(injector.empty() && injector.pop() == nullptr);
  for (Item& i : all) injector.push(&i);
  CHECK_EQ(injector.size(), static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) CHECK_EQ(number_of(injector.pop()), i);
  CHECK(injector.empty() && injector.pop() == nullptr);
  injector.push(&all[0]);  // the ring is in use again
  CHECK_EQ(number_of(injector.pop()), 0);
}

TEST(queues, injector_between_many_threads) {
  const int each = check::times(20000), producers = 3;
  std::deque<Item> all(static_cast<size_t>(each * producers));
  Injector injector;
  atomic<int> taken{0};
  check::in_threads(producers + 2, [&](int me) {
    if (me < producers) {
      for (int i = 0; i < each; ++i) {
        Item& item = all[static_cast<size_t>(me * each + i)];
        item.number = i;
        item.thread = me;
        injector.push(&item);
      }
      return;
    }
    while (taken.load() < each * producers) {
      Behavior* b = injector.pop();
      if (!b) {
        std::this_thread::yield();
        continue;
      }
      static_cast<Item*>(b)->taken.fetch_add(1);
      taken.fetch_add(1);
    }
  });
  for (Item& i : all) CHECK_EQ(i.taken.load(), 1);
  CHECK(injector.empty());
}

TEST(queues, main_lane_calls_its_waker) {
  auto all = items(3);
  MainLane lane;
  lane.push(&all[0]);  // without one
  int woken = 0;
  lane.on_push([](void* n) { ++*static_cast<int*>(n); }, &woken);
  lane.push(&all[1]);
  CHECK_EQ(woken, 1);
  lane.on_push(nullptr, nullptr);
  lane.push(&all[2]);
  CHECK_EQ(woken, 1);
  CHECK_EQ(lane.size(), size_t{3});
  for (int i = 0; i < 3; ++i) CHECK_EQ(number_of(lane.pop()), i);
  CHECK(lane.empty());
}
