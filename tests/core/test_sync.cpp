// SpinLock, Parker and Waiter alone.
#include <chrono>
#include <memory>

#include "boc/waiter.h"
#include "check.h"

using namespace boc;
using namespace std::chrono_literals;

TEST(sync, spin_lock_excludes) {
  SpinLock lock;
  long counter = 0;
  check::in_threads(4, [&](int) {
    for (int i = 0; i < check::times(50000); ++i) {
      std::lock_guard guard(lock);
      ++counter;
    }
  });
  CHECK_EQ(counter, 4L * check::times(50000));
}

TEST(sync, spin_lock_try) {
  SpinLock lock;
  CHECK(lock.try_lock());
  CHECK(!lock.try_lock());
  lock.unlock();
  CHECK(lock.try_lock());
  lock.unlock();
}

TEST(sync, parker_remembers_one_permit) {
  Parker parker;
  parker.unpark();
  parker.unpark();
  parker.park();                 // returns: the permit came first
  CHECK(!parker.park_for(1ms));  // and only one is kept
  CHECK(!parker.park_for(0ns));
  parker.unpark();
  CHECK(parker.park_for(1h));
}

// Lingering takes no permit, and the permit may come before, during or after it.
TEST(sync, parker_lingers) {
  Parker parker;
  parker.linger(1ms);
  CHECK(!parker.park_for(0ns));
  parker.unpark();
  parker.linger(1h);
  CHECK(parker.park_for(0ns));
  std::thread late([&] {
    std::this_thread::sleep_for(5ms);
    parker.unpark();
  });
  parker.linger(0ns);
  parker.linger(1h);
  CHECK(parker.park_for(0ns));
  late.join();
}

// Whoever has seen the permit may destroy the parker, however it waited.
TEST(sync, parker_ends_after_lingering) {
  const int rounds = check::times(2000);
  for (int i = 0; i < rounds; ++i) {
    auto parker = std::make_unique<Parker>();
    std::thread other([p = parker.get()] { p->unpark(); });
    parker->linger(std::chrono::microseconds(i % 60));
    parker->park();
    parker.reset();
    other.join();
  }
}

TEST(sync, parker_ping_pong) {
  Parker ping, pong;
  const int rounds = check::times(5000);
  std::thread other([&] {
    for (int i = 0; i < rounds; ++i) {
      if (i % 3) ping.linger(5us);
      ping.park();
      pong.unpark();
    }
  });
  for (int i = 0; i < rounds; ++i) {
    ping.unpark();
    pong.park();
  }
  other.join();
  CHECK(!ping.park_for(0ns));
}

TEST(sync, waiter_states) {
  Waiter granted;
  CHECK(!granted.wait_for(0ns));
  CHECK(granted.grant());
  CHECK(granted.ready());
  CHECK(granted.wait_for(1h));
  CHECK(!granted.abandon());  // too late

  Waiter abandoned;
  CHECK(abandoned.abandon());
  CHECK(!abandoned.grant());
  CHECK(!abandoned.ready());
}

// The waiting thread sees that it is ready, by the flag and not by the permit, and frees the waiter while grant() is
// still on its way to unpark: grant() must not touch the waiter after the flag. Address sanitizer sees it otherwise.
TEST(sync, waiter_is_destroyed_as_soon_as_it_is_ready) {
  for (int i = 0; i < check::times(20000); ++i) {
    auto waiter = std::make_unique<Waiter>();
    std::thread granter;
    Waiter* raw = waiter.get();
    atomic<bool> go{false};
    granter = std::thread([raw, &go] {
      while (!go.load(acquire)) cpu_relax();
      raw->grant();
    });
    go.store(true, release);
    switch (i % 3) {
      case 0:
        check::until([&] { return raw->ready(); });
        break;
      case 1:
        check::until([&] { return raw->wait_for(10us); });
        break;
      case 2:
        if (raw->abandon()) {
          granter.join();  // the granter still needs it: it would free it
          continue;
        }
        CHECK(raw->ready());
    }
    waiter.reset();
    granter.join();
  }
}
