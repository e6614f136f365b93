// The memory pool alone. Under sanitizers it is malloc, and these tests say whether they are right themselves.
#include "boc/pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <random>

#include "check.h"

using boc::pool_allocate;
using boc::pool_free;
using boc::pool_held;
using boc::pool_trim;

namespace {

bool is_malloc() {
  void* p = pool_allocate(64);
  const bool held = pool_held() != 0;
  pool_free(p, 64);
  return !held;
}

struct Slot {
  std::atomic<unsigned char*> at{nullptr};
  size_t bytes = 0;
};

// Blocks go from thread to thread through the slots; each is full of its slot's mark.
void exchange_blocks(std::vector<Slot>& slots, unsigned seed, int rounds) {
  std::minstd_rand random(seed);
  for (int i = 0; i < rounds; ++i) {
    const size_t k = random() % slots.size();
    const auto mark = static_cast<unsigned char>(k);
    auto* fresh = static_cast<unsigned char*>(pool_allocate(slots[k].bytes));
    std::memset(fresh, mark, slots[k].bytes);
    unsigned char* old = slots[k].at.exchange(fresh);
    if (old) {
      for (size_t j = 0; j < slots[k].bytes; ++j) REQUIRE(old[j] == mark);
      pool_free(old, slots[k].bytes);
    }
    if (i % 3000 == 0) pool_trim();
  }
}

std::vector<Slot> make_slots(size_t n) {
  std::vector<Slot> slots(n);
  for (size_t i = 0; i < n; ++i) slots[i].bytes = 1 + (i * 37) % 1400;
  return slots;
}

void empty_slots(std::vector<Slot>& slots) {
  for (Slot& s : slots) pool_free(s.at.exchange(nullptr), s.bytes);
}

}  // namespace

TEST(pool, sizes_and_alignment) {
  std::vector<std::pair<void*, size_t>> all;
  for (size_t bytes = 0; bytes < 3000; bytes += 7) {
    void* p = pool_allocate(bytes);
    CHECK(reinterpret_cast<uintptr_t>(p) % 16 == 0);
    std::memset(p, 0xAB, bytes);
    all.emplace_back(p, bytes);
  }
  for (auto [p, bytes] : all) pool_free(p, bytes);
  if (!is_malloc()) {
    for (size_t bytes = 64; bytes <= 1024; bytes += 64) {
      void* p = pool_allocate(bytes);
      void* q = pool_allocate(bytes);
      CHECK(reinterpret_cast<uintptr_t>(p) % 64 == 0 && reinterpret_cast<uintptr_t>(q) % 64 == 0);
      pool_free(p, bytes);
      pool_free(q, bytes);
    }
  }
}

TEST(pool, memory_comes_back) {
  if (is_malloc()) return;
  pool_trim();
  const size_t before = pool_held();
  size_t most = 0;
  for (int round = 0; round < 20; ++round) {
    std::vector<void*> blocks(50000);
    for (void*& p : blocks) p = pool_allocate(160);
    if (round == 0) most = pool_held();
    for (void* p : blocks) pool_free(p, 160);
    CHECK(pool_held() <= most);  // a round uses what the one before it left
  }
  CHECK(most >= before + 50000 * 160);
  pool_trim();
  CHECK(pool_held() <= before);
}

// A producer that only allocates and a consumer that only frees: blocks find their way back.
TEST(pool, freed_by_another_thread) {
  constexpr int WINDOW = 1000;
  std::vector<std::atomic<void*>> ring(WINDOW);
  const int rounds = check::times(300000);
  size_t most = 0;
  check::in_threads(2, [&](int me) {
    for (int i = 0; i < rounds; ++i) {
      std::atomic<void*>& slot = ring[static_cast<size_t>(i % WINDOW)];
      if (me == 0) {
        check::until([&] { return slot.load(std::memory_order_acquire) == nullptr; });
        slot.store(pool_allocate(96), std::memory_order_release);
      } else {
        void* p = nullptr;
        check::until([&] { return (p = slot.load(std::memory_order_acquire)) != nullptr; });
        pool_free(p, 96);
        slot.store(nullptr, std::memory_order_release);
      }
    }
    if (me == 0) most = pool_held();
  });
  CHECK(most < size_t{16} << 20);  // 1000 blocks of 96 bytes were in use at a time, not 300,000
}

TEST(pool, threads_exchange_blocks) {
  auto slots = make_slots(512);
  for (int round = 0; round < 4; ++round) {
    check::in_threads(
        4, [&](int i) { exchange_blocks(slots, static_cast<unsigned>(round * 4 + i + 1), check::times(20000)); });
  }
  empty_slots(slots);
  const bool plain = is_malloc();
  pool_trim();
  if (!plain) CHECK_EQ(pool_held(), size_t{0});  // the caches of ended threads came back, too
}

// The pool is malloc under sanitizers, and theirs does not survive the fork of a process with several threads.
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
TEST(pool, the_child_of_a_fork_may_use_it) {
  auto slots = make_slots(256);
  std::atomic<bool> over{false};
  std::thread forker([&] {
    for (int i = 0; i < 20; ++i) {
      const pid_t child = fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        alarm(30);  // a lock that nobody will ever open: the parent sees the signal
        exchange_blocks(slots, 77, 2000);
        _exit(0);
      }
      int status = 0;
      waitpid(child, &status, 0);
      CHECK_EQ(status, 0);
    }
    over.store(true);
  });
  check::in_threads(2, [&](int i) {
    while (!over.load()) exchange_blocks(slots, static_cast<unsigned>(i + 1), 1000);
  });
  forker.join();
  empty_slots(slots);
}
#endif

namespace {

// Constructed before the thread's first use of the pool, so destroyed after the thread's cache is closed.
struct Late {
  void* block = nullptr;
  ~Late() {
    pool_free(block, 200);
    void* more[3];
    for (void*& p : more) p = pool_allocate(48);
    for (void* p : more) pool_free(p, 48);
    done.fetch_add(1);
  }
  static inline std::atomic<int> done{0};
};

struct AtTheEnd {
  ~AtTheEnd() {
    std::thread late([] { pool_free(pool_allocate(80), 80); });  // a thread that ends after static destruction
    late.join();
    pool_free(pool_allocate(80), 80);
    pool_trim();
  }
};
const AtTheEnd at_the_end;

}  // namespace

TEST(pool, thread_local_destructors_may_use_it) {
  pool_trim();
  const size_t before = pool_held();
  check::in_threads(3, [&](int) {
    static thread_local Late late;
    late.block = pool_allocate(200);
  });
  CHECK_EQ(Late::done.load(), 3);
  pool_trim();
  CHECK(pool_held() <= before);
}

TEST(pool, classes_that_derive_from_pooled) {
  struct Small : boc::Pooled {
    long value = 7;
  };
  struct Base : boc::Pooled {
    virtual ~Base() = default;
  };
  struct Large : Base {
    char bytes[700] = {1};
  };
  auto* small = new Small;
  CHECK_EQ(small->value, 7);
  delete small;
  pool_trim();
  const size_t before = pool_held();
  for (int i = 0; i < 2000; ++i) {
    Base* base = new Large;
    delete base;  // with the size of the whole
  }
  CHECK(pool_held() <= before + (size_t{1} << 20));
}
