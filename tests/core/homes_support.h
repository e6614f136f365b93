// A backend in C++ whose values live with workers, as those of interpreters do: it decides by where a behavior's values
// are, and counts and checks all that the scheduler asks of it.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>

#include "boc/scheduler.h"
#include "check.h"
#include "native_support.h"

namespace homes {

using namespace boc;
using namespace std::chrono_literals;

inline constexpr int MOST = 12;  // workers
inline thread_local Worker* here = nullptr;

// Lives in the home where it was last used; only its holder looks.
struct Value : Cown {
  int home = -1;
  bool stays = false;  // cannot be moved away
  bool big = false;
  bool surprising = false;  // turns out to stay only when somebody wants to move it
  long n = 0;
};

struct Job final : Behavior {
  Place at;
  bool by_values = false;  // the place follows from the values, not from `at`
  std::function<void(Worker&)> body;
  std::vector<std::byte> memory;

  Job(Scope& s, Place place, std::function<void(Worker&)> what, std::initializer_list<Value*> values = {},
      bool read = false)
      : at(place), body(std::move(what)), memory((values.size() + 1) * sizeof(Request)) {
    scope = &s;
    requests = reinterpret_cast<Request*>(memory.data());
    Request* to = requests;
    for (Value* v : values) new (to++) Request(v, this, read ? uint32_t{Request::READ} : 0u);
    request_count = static_cast<uint32_t>(values.size());
    prepare(*this);
  }
};

struct Home {
  std::atomic<int> started{0}, resumed{0}, stopped{0}, ended{0}, parked{0}, ran{0}, errands_run{0};
  std::thread::id thread;
  std::mutex mutex;
  std::deque<std::function<void(Worker&)>> errands;
  std::atomic<int> pending{0};
};

struct Backend final : boc::Backend {
  Home homes[MOST];
  std::atomic<int> fail_start_at{-1}, fail_resume_at{-1};  // index of a worker
  std::atomic<int> ran{0}, cancelled{0}, refused{0}, retired{0}, moved{0};
  std::function<void(Worker&)> stopping;
  std::function<bool(Worker&, Job&)> entering;  // for jobs whose place is given
  std::function<void(const Worker&)> looked;    // after it has found no errand; set it before anything starts

  Home& home(const Worker& w) { return homes[w.index()]; }
  void at_home(const Worker& w) { CHECK(home(w).thread == std::this_thread::get_id() && here == &w); }

  bool has_homes() const noexcept override { return true; }
  void worker_started(Worker& w) override {
    if (fail_start_at.load() == static_cast<int>(w.index())) throw std::runtime_error("no more workers");
    here = &w;
    home(w).thread = std::this_thread::get_id();
    ++home(w).started;
  }
  void worker_resumed(Worker& w) override {
    at_home(w);
    if (fail_resume_at.load() == static_cast<int>(w.index())) throw std::runtime_error("does not wake up");
    ++home(w).resumed;
  }
  void worker_stopping(Worker& w) noexcept override {
    at_home(w);
    if (stopping) stopping(w);
    ++home(w).stopped;
  }
  void worker_ending(Worker& w) noexcept override {
    at_home(w);
    ++home(w).ended;
    here = nullptr;
  }
  void before_park(Worker& w) noexcept override {
    at_home(w);
    CHECK_EQ(home(w).parked.exchange(1), 0);
  }
  void after_park(Worker& w) noexcept override { CHECK_EQ(home(w).parked.exchange(0), 1); }

  Place place(const Behavior& behavior) noexcept override {
    auto& job = static_cast<const Job&>(behavior);
    CHECK(job.lane == Lane::WORKERS);
    if (!job.by_values) return job.at;
    Place place;
    for (uint32_t i = 0; i < job.request_count; ++i) {
      auto& value = *static_cast<const Value*>(job.requests[i].cown);
      if (value.home < 0 || place.fixed) continue;
      if (place.worker < 0 || value.stays || value.big) place.worker = value.home;
      place.fixed = value.stays;
      place.heavy = value.big && !value.stays;
    }
    return place;
  }
  bool enter(Worker& w, Behavior& behavior) noexcept override {
    at_home(w);
    auto& job = static_cast<Job&>(behavior);
    if (!job.by_values) {
      if (!entering || entering(w, job)) return true;
      ++refused;
      return false;
    }
    const int index = static_cast<int>(w.index());
    // Two that stay in different homes: real backends fail one of them, here it is given up.
    bool first = true;
    for (Request& r : job.acquired()) {
      auto& value = *static_cast<Value*>(r.cown);
      if (value.home < 0 || value.home == index) continue;
      if (value.surprising && !value.stays && first) {
        value.stays = true;
        ++refused;
        return false;
      }
      first = false;
      value.stays = false;
      ++moved;
    }
    for (Request& r : job.acquired()) static_cast<Value*>(r.cown)->home = index;
    return true;
  }
  void run(Worker& w, Behavior& behavior, bool drop) noexcept override {
    at_home(w);
    auto& job = static_cast<Job&>(behavior);
    CHECK_EQ(home(w).parked.load(), 0);
    if (drop) {
      ++cancelled;
    } else {
      if (job.at.fixed && !job.by_values) CHECK_EQ(static_cast<int>(w.index()), job.at.worker);  // P1
      ++ran;
      ++home(w).ran;
      if (job.body) job.body(w);
    }
    job.body = nullptr;
  }
  void retire(Behavior& behavior) noexcept override {
    delete static_cast<Job*>(&behavior);
    ++retired;
  }
  void drop(Cown*) noexcept override {}
  bool drops_silently(const Cown&) noexcept override { return true; }
  void breathe(Worker&) noexcept override {}

  bool has_errands(const Worker& w) const noexcept override {
    const bool found = homes[w.index()].pending.load(acquire) > 0;
    if (!found && looked) looked(w);
    return found;
  }
  void run_errands(Worker& w) noexcept override {
    at_home(w);
    Home& h = home(w);
    CHECK_EQ(h.parked.load(), 0);
    for (;;) {
      std::function<void(Worker&)> errand;
      {
        std::lock_guard lock(h.mutex);
        if (h.errands.empty()) return;
        errand = std::move(h.errands.front());
        h.errands.pop_front();
      }
      if (errand) errand(w);
      ++h.errands_run;
      h.pending.fetch_sub(1, release);
    }
  }
  void post_errand(Worker& w, std::function<void(Worker&)> errand = nullptr) {
    Home& h = home(w);
    {
      std::lock_guard lock(h.mutex);
      h.errands.push_back(std::move(errand));
    }
    h.pending.fetch_add(1, release);
    w.nudge();
  }
  void await_errands(int home, int n) {
    check::until([&] { return homes[home].errands_run.load() >= n; });
  }
};

inline void post(Scheduler& s, Place place, std::function<void(Worker&)> body = nullptr,
                 std::initializer_list<Value*> values = {}) {
  auto* job = new Job(s.root(), place, std::move(body), values);
  Worker* worker = here && &here->scheduler() == &s ? here : nullptr;
  Scheduler::count_in(worker, s.root());
  s.schedule(worker, *job);
}
inline void post_by_values(Scheduler& s, std::function<void(Worker&)> body, std::initializer_list<Value*> values,
                           bool read = false) {
  auto* job = new Job(s.root(), {}, std::move(body), values, read);
  job->by_values = true;
  Worker* worker = here && &here->scheduler() == &s ? here : nullptr;
  Scheduler::count_in(worker, s.root());
  s.schedule(worker, *job);
}

inline Place fixed(int worker) {
  return {worker, true, false};
}
inline Place heavy(int worker) {
  return {worker, false, true};
}
inline Place rather(int worker) {
  return {worker, false, false};
}

inline void drain(Scheduler& s) {
  while (!s.root().wait_for(1h)) {
  }
}
inline void stop(Scheduler& s) {
  while (!s.try_stop()) s.root().wait_for(1h);
}

// Keeps one worker busy until it is opened.
struct Busy {
  support::Gate gate;
  Busy(Scheduler& s, int worker) {
    post(s, fixed(worker), [this](Worker&) { gate.wait(); });
    gate.await(1);
  }
  void open() { gate.open.store(true); }
};

}  // namespace homes
