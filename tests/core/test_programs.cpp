// Random programs against a model: each behavior runs exactly once, alone with what it writes, in an order that the
// scheduling order of each cown allows.
#include <random>

#include "native_support.h"

using namespace support;

namespace {

// What a cown remembers: the number of the behavior that wrote last, and who read since.
struct Cell {
  std::atomic<int> inside{0};  // readers, or -1 for a writer
  int last_writer = -1;
};

struct Access {
  int cell;
  bool reads;
};

struct Plan {
  std::vector<Access> accesses;
  std::vector<int> expected;  // per access: the behavior whose write it must see
  std::atomic<int> runs{0};
};

class Program {
 public:
  Program(unsigned seed, unsigned workers, int cells, int behaviors)
      : random_(seed), runtime_(workers), plans_(static_cast<size_t>(behaviors)) {
    for (int i = 0; i < cells; ++i) cells_.push_back(make_cown<Cell>());
    std::vector<int> written(static_cast<size_t>(cells), -1);
    for (size_t b = 0; b < plans_.size(); ++b) make_plan(plans_[b], static_cast<int>(b), written);
  }

  void run() {
    for (size_t at = 0; at < plans_.size();) {
      const size_t length = random_() % 4 ? 1 : 1 + random_() % 5;
      std::vector<Behavior*> batch;
      for (size_t i = 0; i < length && at < plans_.size(); ++i, ++at) batch.push_back(make(static_cast<int>(at)));
      runtime_.scheduler().schedule_batch(nullptr, batch);
    }
    runtime_.wait();
    for (Plan& plan : plans_) CHECK_EQ(plan.runs.load(), 1);
    for (auto& c : cells_) CHECK(c.payload()->idle() && c.payload()->refs.load() == 1);
  }

 private:
  void make_plan(Plan& plan, int number, std::vector<int>& written) {
    const size_t n = random_() % 5;
    for (size_t i = 0; i < n; ++i) {
      plan.accesses.push_back({static_cast<int>(random_() % cells_.size()), random_() % 2 == 0});
    }
    for (const Access& a : plan.accesses) plan.expected.push_back(written[static_cast<size_t>(a.cell)]);
    for (const Access& a : plan.accesses) {
      if (!a.reads) written[static_cast<size_t>(a.cell)] = number;
    }
  }

  Behavior* make(int number) {
    Plan& plan = plans_[static_cast<size_t>(number)];
    std::vector<cown<Cell>> reads, writes;
    for (const Access& a : plan.accesses) {
      (a.reads ? reads : writes).push_back(cells_[static_cast<size_t>(a.cell)]);
    }
    return make_behavior(
        runtime_, nullptr, [this, number](const std::vector<const Cell*>&, const std::vector<Cell*>&) { step(number); },
        read(std::move(reads)), std::move(writes));
  }

  void step(int number) {
    Plan& plan = plans_[static_cast<size_t>(number)];
    plan.runs.fetch_add(1);
    std::vector<int> writes, reads;  // each cell once, a writer if any of its accesses writes
    for (const Access& a : plan.accesses) {
      auto& cells = a.reads ? reads : writes;
      if (std::find(cells.begin(), cells.end(), a.cell) == cells.end()) cells.push_back(a.cell);
    }
    std::erase_if(reads, [&](int c) { return std::find(writes.begin(), writes.end(), c) != writes.end(); });
    auto at = [&](int c) -> Cell& { return cells_[static_cast<size_t>(c)].payload()->value; };
    for (int c : writes) CHECK_EQ(at(c).inside.exchange(-1), 0);
    for (int c : reads) CHECK(at(c).inside.fetch_add(1) >= 0);
    for (size_t i = 0; i < plan.accesses.size(); ++i) {
      CHECK_EQ(at(plan.accesses[i].cell).last_writer, plan.expected[i]);
    }
    if (number % 16 == 0) std::this_thread::yield();
    for (int c : writes) {
      at(c).last_writer = number;
      at(c).inside.store(0);
    }
    for (int c : reads) at(c).inside.fetch_sub(1);
  }

  std::mt19937 random_;
  Runtime runtime_;
  std::vector<cown<Cell>> cells_;
  std::vector<Plan> plans_;
};

}  // namespace

TEST(programs, agree_with_the_model) {
  const int programs = check::times(150);
  for (int seed = 0; seed < programs; ++seed) {
    const unsigned workers = 1 + static_cast<unsigned>(seed % 4);
    const int cells = 1 + seed % 9;
    Program program(static_cast<unsigned>(seed) + 1, workers, cells, 400);
    program.run();
  }
}

// Behaviors that schedule more, on random cowns, from within: nothing is lost, nothing hangs.
TEST(programs, that_grow) {
  for (unsigned workers : {1u, 2u, 4u}) {
    Runtime runtime(workers);
    std::vector<cown<Guarded>> cells;
    for (int i = 0; i < 12; ++i) cells.push_back(make_cown<Guarded>());
    std::atomic<long> ran{0};
    struct Grow {
      std::vector<cown<Guarded>>* cells;
      std::atomic<long>* ran;
      unsigned state;
      int depth;
      void operator()(Guarded& a, const Guarded& b) {
        a.write();
        if (&a != &b) b.read();
        ran->fetch_add(1);
        for (int i = 0; depth > 0 && i < 2; ++i) {
          state = state * 1664525 + 1013904223;
          auto& x = (*cells)[(state >> 8) % cells->size()];
          auto& y = (*cells)[(state >> 16) % cells->size()];
          when(x, read(y)) << Grow{cells, ran, state, depth - 1};
        }
      }
    };
    const int depth = check::SLOWNESS > 1 ? 9 : 12;
    for (unsigned i = 0; i < 4; ++i) when(cells[i], read(cells[i + 1])) << Grow{&cells, &ran, i + 1, depth};
    runtime.wait();
    CHECK_EQ(ran.load(), 4L * ((2L << depth) - 1));
  }
}

// The C++ API from many threads at once, with workers that fall asleep and wake all the time.
TEST(programs, bursts_and_pauses) {
  Runtime runtime(4);
  auto c = make_cown<Guarded>();
  const int bursts = check::times(3000);
  check::in_threads(3, [&](int me) {
    for (int i = 0; i < bursts; ++i) {
      for (int k = 0; k < (i + me) % 4; ++k) when_on(runtime, c) << [](Guarded& g) { g.write(); };
      if (i % 16 == 0) runtime.wait();
    }
  });
  runtime.wait();
  long expected = 0;
  for (int me = 0; me < 3; ++me) {
    for (int i = 0; i < bursts; ++i) expected += (i + me) % 4;
  }
  CHECK_EQ(c.payload()->value.n, expected);
}
