// Errors on purpose: the build that runs the tests must report them, or its silence means nothing.
#include "boc/sync.h"
#include "check.h"

TEST(planted_failure, check_fails) {
  CHECK_EQ(1 + 1, 3);
}

TEST(planted_race, two_threads_write) {
  int shared = 0;
  check::in_threads(2, [&](int i) {
    for (int k = 0; k < 1000; ++k) shared += i;
  });
  CHECK(shared <= 1000);
}

TEST(planted_leak, memory_is_lost) {
  static volatile int size = 4;
  int* volatile memory = new int[static_cast<size_t>(size)]{1};
  CHECK(memory[0] == 1);
  memory = nullptr;
}

TEST(planted_invariant, is_broken) {
  BOC_INVARIANT(1 + 1 == 3, "X1");
}
