// IdleSet alone: no wake-up is lost, none is left over.
#include <memory>

#include "boc/idle.h"
#include "check.h"

using namespace boc;
using namespace std::chrono_literals;

TEST(idle, wakes_one_unless_somebody_searches) {
  IdleSet idle;
  idle.reserve(2);
  Parker a, b;
  CHECK(!idle.notify_one());  // nobody sleeps
  idle.begin_search();
  idle.begin_search();
  idle.announce_sleep(a);
  CHECK(!idle.notify_one());  // b's worker searches
  idle.announce_sleep(b);
  CHECK(idle.notify_one());
  CHECK(b.park_for(1h));      // the one that slept last
  CHECK(!idle.notify_one());  // it counts as searching now
  CHECK(idle.end_search());   // it found work, and was the last
  CHECK(idle.notify_one());
  CHECK(a.park_for(1h));
  CHECK(idle.end_search());
  CHECK(!idle.notify_one());
}

TEST(idle, notify_all_wakes_all) {
  IdleSet idle;
  idle.reserve(3);
  Parker parkers[3];
  for (Parker& p : parkers) {
    idle.begin_search();
    idle.announce_sleep(p);
  }
  idle.notify_all();
  for (Parker& p : parkers) CHECK(p.park_for(1h));
  CHECK(!idle.end_search());
  CHECK(!idle.end_search());
  CHECK(idle.end_search());
}

// A worker announces its sleep; a producer takes it from the list and is about to unpark it; the worker finds work and
// calls the sleep off. The permit that is on its way must not be left in the parker: it would end a later sleep of a
// worker that is still on the list, which is then listed twice and never woken again.
TEST(idle, a_sleep_called_off_leaves_no_permit) {
  IdleSet idle;
  idle.reserve(1);
  Parker parker;
  idle.begin_search();
  idle.announce_sleep(parker);
  CHECK(idle.notify_one());
  idle.cancel_sleep(parker);
  CHECK(!parker.park_for(0ns));
  CHECK(idle.end_search());  // and it is counted as searching once, not twice
}

TEST(idle, a_sleep_called_off_is_off_the_list) {
  IdleSet idle;
  idle.reserve(1);
  Parker parker;
  idle.begin_search();
  idle.announce_sleep(parker);
  idle.cancel_sleep(parker);
  CHECK(idle.end_search());
  CHECK(!idle.notify_one());
}

// Producers publish numbers, sleepers take them in the way workers do. With a wake-up lost, all sleep while numbers are
// left: the watchdog ends that.
TEST(idle, no_wake_up_is_lost) {
  constexpr int PRODUCERS = 2, SLEEPERS = 3;
  const int each = check::times(20000);
  IdleSet idle;
  idle.reserve(SLEEPERS);
  atomic<int> available{0}, taken{0}, in_flight{0};
  auto take = [&] {
    int n = available.load(relaxed);
    while (n > 0) {
      if (available.compare_exchange_weak(n, n - 1)) return true;
    }
    return false;
  };
  auto over = [&] { return taken.load() == PRODUCERS * each; };
  auto sleeper = [&] {
    Parker parker;
    bool searching = false;
    while (!over()) {
      if (!searching) idle.begin_search();
      searching = true;
      if (take()) {
        searching = false;
        if (idle.end_search() && available.load(relaxed) > 0) idle.notify_one();
        in_flight.fetch_sub(1);
        if (taken.fetch_add(1) + 1 == PRODUCERS * each) idle.notify_all();
        continue;
      }
      idle.announce_sleep(parker);
      if (available.load(relaxed) > 0 || over()) {
        idle.cancel_sleep(parker);
      } else {
        parker.park();
      }
    }
    CHECK(!parker.park_for(0ns));  // I3: nothing is left over, nobody comes late
  };
  check::in_threads(PRODUCERS + SLEEPERS, [&](int me) {
    if (me >= PRODUCERS) return sleeper();
    for (int i = 0; i < each; ++i) {
      while (in_flight.load() > 2) std::this_thread::yield();  // so that sleepers run dry all the time
      in_flight.fetch_add(1);
      available.fetch_add(1);
      idle.notify_one();
    }
  });
  CHECK_EQ(taken.load(), PRODUCERS * each);
}

TEST(idle, wakes_one_by_name) {
  IdleSet idle;
  idle.reserve(3);
  Parker a, b, rests;
  CHECK(!idle.wake(a));  // it does not sleep
  idle.begin_search();
  idle.begin_search();
  idle.announce_sleep(a);
  idle.announce_sleep(b);
  idle.announce_rest(rests);
  CHECK(idle.all_asleep(3));
  CHECK(idle.wake(a));
  CHECK(!idle.wake(a));  // once (I3)
  CHECK(a.park_for(1h));
  CHECK(!idle.notify_one());  // it counts as searching
  CHECK(idle.end_search());
  CHECK(idle.notify_one());
  CHECK(b.park_for(1h));
  CHECK(idle.end_search());
  CHECK(!idle.notify_one());  // I4: not for who rests
  idle.notify_all();
  CHECK(!rests.park_for(0ns));
  CHECK(idle.wake(rests));
  CHECK(rests.park_for(1h));
  CHECK(!idle.all_asleep(1));
  idle.begin_search();
  CHECK(idle.end_search());  // nor has it been counted as searching
}

TEST(idle, a_rest_called_off_leaves_no_permit) {
  IdleSet idle;
  idle.reserve(1);
  Parker parker;
  idle.announce_rest(parker);
  idle.cancel_rest(parker);
  CHECK(!idle.wake(parker));
  idle.announce_rest(parker);
  CHECK(idle.wake(parker));
  idle.cancel_rest(parker);
  CHECK(!parker.park_for(0ns));
  CHECK(idle.all_asleep(0));
}
