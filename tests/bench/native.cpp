// The core alone: what one behavior costs in C++, from scheduling to release.
//
//   cmake --preset release && cmake --build --preset release && build/release/tests/core/boc_bench_native [rounds]
//
// Behaviors are scheduled by a behavior, on the worker that runs them; cowns, and the choice of pairs, are
// made before the clock starts. Prints nanoseconds per behavior: the median of the rounds, with the smallest
// and the largest.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "boc/native.h"

namespace {

using boc::cown;
using Clock = std::chrono::steady_clock;

constexpr int BURST = 4000;  // behaviors that are pending at once, in the workloads that schedule all of them first
constexpr int CHAIN = 40000;
constexpr int BURSTS = 20;

struct Nothing {};

// `prepare` makes what a burst needs, `schedule` runs in a behavior and starts it. The first burst, in which
// memory comes from the system, is not counted.
template <class Prepare, class Schedule>
double time_of(unsigned workers, int behaviors, Prepare prepare, Schedule schedule) {
  boc::Runtime runtime(workers);
  auto starter = boc::make_cown<Nothing>();
  std::chrono::duration<double, std::nano> total{};
  for (int burst = 0; burst <= BURSTS; ++burst) {
    auto prepared = prepare();
    const auto begin = Clock::now();
    boc::when_on(runtime, starter) << [&](Nothing&) { schedule(prepared); };
    runtime.wait();
    if (burst > 0) total += Clock::now() - begin;
  }
  return total.count() / BURSTS / behaviors;
}

using Cowns = std::vector<cown<long>>;

Cowns make_cowns(int count, long value) {
  Cowns cowns;
  for (int i = 0; i < count; ++i) cowns.push_back(boc::make_cown<long>(value));
  return cowns;
}

void count_down(const cown<long>& c) {
  boc::when(c) << [&c](long& left) {
    if (--left > 0) count_down(c);
  };
}

double chains(unsigned workers, int count) {
  return time_of(
      workers, CHAIN, [count] { return make_cowns(count, CHAIN / count); },
      [](Cowns& cowns) {
        for (auto& c : cowns) count_down(c);
      });
}

double one_chain() {
  return chains(1, 1);
}
double sixteen_chains() {
  return chains(2, 16);
}

double fan_out() {
  return time_of(
      1, BURST, [] { return make_cowns(BURST, 0); },
      [](Cowns& cowns) {
        for (auto& c : cowns) boc::when(c) << [](long& n) { ++n; };
      });
}

double pairs() {
  Cowns cowns = make_cowns(64, 0);
  std::mt19937 random(7);
  using Chosen = std::vector<std::pair<size_t, size_t>>;
  return time_of(
      1, BURST,
      [&random] {
        Chosen chosen;
        for (int i = 0; i < BURST; ++i) {
          const size_t a = random() % 64;
          chosen.emplace_back(a, (a + 1 + random() % 63) % 64);
        }
        return chosen;
      },
      [&cowns](Chosen& chosen) {
        for (auto [a, b] : chosen) boc::when(cowns[a], cowns[b]) << [](long& x, long& y) { ++x, ++y; };
      });
}

struct Figure {
  const char* name;
  double (*measure)();
  std::vector<double> samples;
};

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
  Figure figures[] = {{"chain on one cown, 1 worker", one_chain, {}},
                      {"fan-out to fresh cowns, 1 worker", fan_out, {}},
                      {"random pairs of 64, 1 worker", pairs, {}},
                      {"16 chains, 2 workers", sixteen_chains, {}}};
  // In turn, so that a slow spell of the machine hits all of them.
  for (int round = 0; round < rounds; ++round) {
    for (Figure& f : figures) f.samples.push_back(f.measure());
  }
  std::printf("| ns per behavior | median (smallest-largest) of %d |\n| --- | ---: |\n", rounds);
  for (Figure& f : figures) {
    std::sort(f.samples.begin(), f.samples.end());
    std::printf("| %s | %.0f (%.0f-%.0f) |\n", f.name, f.samples[f.samples.size() / 2], f.samples.front(),
                f.samples.back());
  }
}
