// Behaviors that wait: with fibers and with threads, on workers that are kept and on those that are not.
#include <memory>
#include <random>

#include "boc/scheduler.h"
#include "check.h"

using namespace boc;
using namespace std::chrono_literals;

namespace {

thread_local Worker* here = nullptr;

struct Job final : Behavior {
  std::function<void(Worker&)> body;
  Job(Scope& s, std::function<void(Worker&)> what) : body(std::move(what)) { scope = &s; }
};

struct Kind {
  bool homes;
  size_t stack;
};

struct Data final : StrandData {
  std::thread::id thread;
};

struct StrandBackend final : Backend {
  explicit StrandBackend(Kind k) : kind(k) {}
  const Kind kind;
  std::atomic<int> ran{0}, dropped{0}, made{0}, ended{0}, threads{0}, refused_strands{0};
  std::atomic<bool> refuse{false};

  bool has_homes() const noexcept override { return kind.homes; }
  size_t fiber_stack() const noexcept override { return kind.stack; }
  void worker_started(Worker& w) override { here = &w; }
  void worker_stopping(Worker& w) noexcept override { CHECK(here == &w); }
  void before_park(Worker& w) noexcept override { CHECK(here == &w); }
  void after_park(Worker& w) noexcept override { CHECK(here == &w); }
  void run(Worker& w, Behavior& behavior, bool drop) noexcept override {
    auto& job = static_cast<Job&>(behavior);
    CHECK(here == &w);
    if (drop) {
      ++dropped;
    } else {
      ++ran;
      job.body(w);
    }
  }
  void retire(Behavior& behavior) noexcept override { delete static_cast<Job*>(&behavior); }
  void drop(Cown*) noexcept override {}
  bool drops_silently(const Cown&) noexcept override { return true; }
  void breathe(Worker&) noexcept override {}

  bool make_strand(Worker&, Strand& strand) noexcept override {
    if (refuse.load()) return ++refused_strands, false;
    ++made;
    auto data = std::make_unique<Data>();
    data->thread = std::this_thread::get_id();
    strand.data = std::move(data);
    return true;
  }
  void check_thread(Strand& strand) noexcept {
    if (strand.data) CHECK(static_cast<Data&>(*strand.data).thread == std::this_thread::get_id());  // F2
  }
  void leave_strand(Worker&, Strand& strand) noexcept override { check_thread(strand); }
  void enter_strand(Worker& w, Strand& strand) noexcept override {
    CHECK(here == &w);
    CHECK(&w.strands().current() == &strand);  // F1
    check_thread(strand);
  }
  void end_strand(Worker&, Strand& strand) noexcept override { check_thread(strand), ++ended; }
  void thread_started(Worker& w) noexcept override { here = &w, ++threads; }
  void thread_ended(Worker&) noexcept override { here = nullptr, --threads; }
};

void post(Scheduler& s, std::function<void(Worker&)> body, Scope* scope = nullptr) {
  Scope& counted = scope ? *scope : s.root();
  Worker* worker = here && &here->scheduler() == &s ? here : nullptr;
  Scheduler::count_in(worker, counted);
  s.schedule(worker, *new Job(counted, std::move(body)));
}

void drain(Scheduler& s) {
  check::until([&] { return s.root().wait_for(10ms); });
}

void stop(Scheduler& s) {
  while (!s.try_stop()) drain(s);
}

// What a behavior waits at: others open it.
struct Door {
  std::mutex mutex;
  Strand* waiting = nullptr;
  bool open = false;

  Woken wait(Worker& w, Deadline deadline = NO_DEADLINE, bool leave = true) {
    Strand& self = w.strands().current();
    {
      std::lock_guard lock(mutex);
      if (open) return Woken::RESUMED;
      self.begin_wait(false);
      waiting = &self;
    }
    const Woken woken = w.strands().suspend(deadline, leave);
    CHECK(&w.strands().current() == &self);
    std::lock_guard lock(mutex);
    waiting = nullptr;
    return woken;
  }
  void pass() {
    std::lock_guard lock(mutex);
    open = true;
    if (waiting) waiting->resume();
  }
  bool taken() {
    std::lock_guard lock(mutex);
    return waiting != nullptr;
  }
};

template <class Test>
void each_kind(Test test) {
  for (const Kind kind : {Kind{false, 256 << 10}, Kind{true, 256 << 10}, Kind{false, 0}, Kind{true, 0}}) {
    if (kind.stack && !Fiber::supported()) continue;
    for (unsigned workers : {1u, 3u}) {
      StrandBackend backend(kind);
      {
        Scheduler s(backend);
        s.start(workers);
        test(s, backend);
        stop(s);
        CHECK_EQ(backend.made.load(), backend.ended.load());
        s.start(workers);  // a period after that is like the first
        std::atomic<int> ran{0};
        for (int i = 0; i < 50; ++i) post(s, [&](Worker&) { ++ran; });
        stop(s);
        CHECK_EQ(ran.load(), 50);
      }
      CHECK_EQ(backend.threads.load(), 0);
    }
  }
}

int deep(int n, Worker& w, Door& door) {
  volatile char frame[512];
  frame[0] = static_cast<char>(n);
  if (n == 0) {
    CHECK(door.wait(w) == Woken::RESUMED);
    return 0;
  }
  return deep(n - 1, w, door) + (frame[0] == static_cast<char>(n));
}

}  // namespace

TEST(strands, many_wait_while_others_run) {
  each_kind([](Scheduler& s, StrandBackend& backend) {
    const int n = backend.kind.stack ? check::times(1000) : 30;
    std::vector<Door> doors(static_cast<size_t>(n));
    std::atomic<int> waiting{0}, through{0}, others{0};
    for (Door& door : doors) {
      post(s, [&](Worker& w) {
        ++waiting;
        CHECK(door.wait(w) == Woken::RESUMED);
        ++through;
      });
    }
    for (int i = 0; i < n; ++i) post(s, [&](Worker&) { ++others; });
    check::until([&] { return waiting.load() == n && others.load() == n; });
    CHECK_EQ(through.load(), 0);
    CHECK(!s.try_stop());
    for (int i = n; i-- > 0;) doors[static_cast<size_t>(i)].pass();
    drain(s);
    CHECK_EQ(through.load(), n);
    CHECK(backend.made.load() >= n - 1);
  });
}

TEST(strands, locals_and_exceptions_over_a_wait) {
  each_kind([](Scheduler& s, StrandBackend&) {
    const int n = 20;
    std::vector<Door> doors(n);
    std::atomic<int> good{0};
    for (int i = 0; i < n; ++i) {
      post(s, [&, i](Worker& w) {
        try {
          if (deep(i % 60, w, doors[static_cast<size_t>(i)]) == i % 60) throw i;
        } catch (int caught) {
          good += caught == i;
        }
      });
    }
    for (Door& door : doors) {
      check::until([&] { return door.taken(); });
      post(s, [&](Worker&) { door.pass(); });
    }
    drain(s);
    CHECK_EQ(good.load(), n);
  });
}

TEST(strands, opened_before_it_waits) {
  each_kind([](Scheduler& s, StrandBackend&) {
    std::atomic<int> done{0};
    post(s, [&](Worker& w) {
      Strand& self = w.strands().current();
      self.begin_wait(false);
      self.resume();
      self.resume();
      CHECK(w.strands().suspend(NO_DEADLINE, true) == Woken::RESUMED);
      self.begin_wait(false);
      w.strands().end_wait();  // not resumed
      self.begin_wait(false);
      self.resume();
      w.strands().end_wait();  // resumed, and yet not suspended
      self.begin_wait(false);
      CHECK(w.strands().suspend(std::chrono::steady_clock::now() + 1ms, true) == Woken::TIMED_OUT);
      self.begin_wait(true);
      CHECK(w.strands().block(std::chrono::steady_clock::now() + 1ms) == Woken::TIMED_OUT);
      self.begin_wait(true);
      self.resume();
      CHECK(w.strands().block(NO_DEADLINE) == Woken::RESUMED);
      ++done;
    });
    drain(s);
    CHECK_EQ(done.load(), 1);
  });
}

TEST(strands, time_is_up_in_order) {
  each_kind([](Scheduler& s, StrandBackend&) {
    const int n = 12;
    std::vector<Door> doors(n);
    std::mutex mutex;
    std::vector<int> order;
    const auto now = std::chrono::steady_clock::now();
    for (int i = 0; i < n; ++i) {
      post(s, [&, i](Worker& w) {
        const Deadline deadline = now + 40ms + (n - i) * 1ms;
        CHECK(doors[static_cast<size_t>(i)].wait(w, deadline) == Woken::TIMED_OUT);
        CHECK(std::chrono::steady_clock::now() >= deadline);
        std::lock_guard lock(mutex);
        order.push_back(i);
      });
    }
    drain(s);
    CHECK_EQ(order.size(), static_cast<size_t>(n));
    if (s.worker_count() > 1) return;
    CHECK(std::is_sorted(order.rbegin(), order.rend()));
  });
}

TEST(strands, a_thread_that_cannot_be_left) {
  each_kind([](Scheduler& s, StrandBackend&) {
    const int n = 6;
    std::vector<Door> doors(n);
    std::atomic<int> through{0};
    for (int i = 0; i < n; ++i) {
      post(s, [&, i](Worker& w) {
        CHECK(doors[static_cast<size_t>(i)].wait(w, NO_DEADLINE, i % 2 == 0) == Woken::RESUMED);
        ++through;
        if (i + 1 < n) doors[static_cast<size_t>(i + 1)].pass();
      });
    }
    for (Door& door : doors) check::until([&] { return door.taken(); });
    std::atomic<int> others{0};
    for (int i = 0; i < 100; ++i) post(s, [&](Worker&) { ++others; });
    check::until([&] { return others.load() == 100; });
    doors[1].pass();
    check::until([&] { return through.load() == n - 1; });
    doors[0].pass();
    drain(s);
    CHECK_EQ(through.load(), n);
  });
}

TEST(strands, two_threads_of_frames_that_cannot_be_left) {
  each_kind([](Scheduler& s, StrandBackend&) {
    if (s.worker_count() > 1) return;  // which strand waits where is known for one
    Door first[2], second, occupying;
    std::mutex mutex;
    std::vector<int> order;
    auto note = [&](int what) {
      std::lock_guard lock(mutex);
      order.push_back(what);
    };
    post(s, [&](Worker& w) {
      CHECK(first[0].wait(w) == Woken::RESUMED);
      CHECK(first[1].wait(w, NO_DEADLINE, false) == Woken::RESUMED);
      note(1);
    });
    post(s, [&](Worker& w) {
      CHECK(second.wait(w) == Woken::RESUMED);
      note(2);
    });
    check::until([&] { return first[0].taken() && second.taken(); });
    post(s, [&](Worker& w) {
      CHECK(occupying.wait(w, NO_DEADLINE, false) == Woken::RESUMED);
      note(3);
    });
    check::until([&] { return occupying.taken(); });
    first[0].pass();
    check::until([&] { return first[1].taken(); });
    std::atomic<int> others{0};
    for (int i = 0; i < 10; ++i) post(s, [&](Worker&) { ++others; });
    check::until([&] { return others.load() == 10; });
    first[1].pass();
    second.pass();
    occupying.pass();
    drain(s);
    CHECK_EQ(order.size(), size_t{3});
  });
}

TEST(strands, quiet_but_for_those_that_wait) {
  each_kind([](Scheduler& s, StrandBackend&) {
    auto* scope = new Scope(&s.root());
    Door inside, doors[4];
    std::atomic<bool> busy{true};
    std::atomic<int> began{0}, through{0};
    post(s, [&](Worker& w) { through += inside.wait(w) == Woken::RESUMED; }, scope);
    for (Door& door : doors) {
      post(s, [&](Worker& w) { through += door.wait(w) == Woken::RESUMED; });
    }
    check::until([&] { return inside.taken(); });
    for (Door& door : doors) check::until([&] { return door.taken(); });
    post(s, [&](Worker&) {
      ++began;
      while (busy.load()) std::this_thread::yield();
    });
    check::until([&] { return began.load() == 1; });
    CHECK(!s.quiet());
    busy = false;
    check::until([&] { return s.quiet(); });
    scope->cancel();
    CHECK(s.runs_in(*scope));
    CHECK(s.runs_in(s.root()));
    inside.pass();
    check::until([&] { return !s.runs_in(*scope); });
    for (Door& door : doors) door.pass();
    drain(s);
    CHECK_EQ(through.load(), 5);
    scope->unref();
  });
}

TEST(strands, stopped_for_good_while_some_wait) {
  for (const Kind kind : {Kind{false, 256 << 10}, Kind{true, 256 << 10}, Kind{false, 0}, Kind{true, 0}}) {
    StrandBackend backend(kind);
    Scheduler s(backend);
    s.start(2);
    Door doors[4];
    std::atomic<int> through{0};
    for (Door& door : doors) {
      post(s, [&](Worker& w) {
        through += door.wait(w) == Woken::RESUMED;
        std::this_thread::sleep_for(1ms);
      });
    }
    for (Door& door : doors) check::until([&] { return door.taken(); });
    s.root().cancel();
    std::thread opener([&] {
      std::this_thread::sleep_for(20ms);
      for (Door& door : doors) door.pass();
    });
    s.stop_for_good();
    CHECK_EQ(through.load(), 4);
    opener.join();
  }
}

TEST(strands, without_memory_for_more) {
  each_kind([](Scheduler& s, StrandBackend& backend) {
    Door door;
    backend.refuse = true;
    std::atomic<int> failed{0};
    post(s, [&](Worker& w) { failed += door.wait(w) == Woken::FAILED; });
    drain(s);
    CHECK_EQ(failed.load(), 1);
    CHECK_EQ(backend.refused_strands.load(), 1);
    backend.refuse = false;
    post(s, [&](Worker& w) { CHECK(door.wait(w) == Woken::RESUMED); });
    check::until([&] { return door.taken(); });
    door.pass();
    drain(s);
  });
}

TEST(strands, hand_over_hand) {
  each_kind([](Scheduler& s, StrandBackend& backend) {
    const int n = backend.kind.stack ? 64 : 8;
    const int rounds = check::times(200);
    struct Ring {
      std::mutex mutex;
      int tokens = 0;
      std::vector<Strand*> waiting;
    } ring;
    std::atomic<int> done{0};
    auto give = [&] {
      std::lock_guard lock(ring.mutex);
      if (ring.waiting.empty()) {
        ++ring.tokens;
      } else {
        ring.waiting.back()->resume();
        ring.waiting.pop_back();
      }
    };
    for (int i = 0; i < n; ++i) {
      post(s, [&, i](Worker& w) {
        std::mt19937 random(static_cast<unsigned>(i));
        for (int round = 0; round < rounds; ++round) {
          Strand& self = w.strands().current();
          std::unique_lock lock(ring.mutex);
          if (ring.tokens > 0) {
            --ring.tokens;
            lock.unlock();
          } else {
            self.begin_wait(false);
            ring.waiting.push_back(&self);
            lock.unlock();
            Woken woken = Woken::TIMED_OUT;
            const bool timed = random() % 3 == 0;
            const Deadline deadline = timed ? std::chrono::steady_clock::now() + 100us : NO_DEADLINE;
            woken = w.strands().suspend(deadline, random() % 8 != 0);
            lock.lock();
            const bool listed = std::erase(ring.waiting, &self) != 0;
            lock.unlock();
            CHECK(listed == (woken == Woken::TIMED_OUT) || !listed);
          }
          ++done;
        }
      });
    }
    check::in_threads(2, [&](int) {
      while (done.load() < n * rounds) {
        give();
        post(s, [](Worker&) {});
        std::this_thread::yield();
      }
    });
    drain(s);
    CHECK_EQ(done.load(), n * rounds);
  });
}
