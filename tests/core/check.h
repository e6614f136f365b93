// A small test frame: TEST(suite, name) { CHECK(...); }. A failed CHECK is reported and the test goes on, so it can be
// used on any thread; REQUIRE ends the program, for when going on makes no sense.
#pragma once

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace check {

struct Test {
  const char* suite;
  const char* name;
  void (*body)();
};

std::vector<Test>& all_tests();
void fail(const char* file, int line, const std::string& what);

struct Registered {
  Registered(const char* suite, const char* name, void (*body)()) { all_tests().push_back({suite, name, body}); }
};

template <class A, class B>
void equal(const char* file, int line, const char* text, const A& a, const B& b) {
  if (a == b) return;
  std::ostringstream out;
  out << text << ": " << a << " is not " << b;
  fail(file, line, out.str());
}

// Runs body(0) ... body(n - 1) on threads of their own and waits for them.
template <class Body>
void in_threads(int n, Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < n; ++i) threads.emplace_back([&body, i] { body(i); });
  for (std::thread& t : threads) t.join();
}

// Waits until `done` holds. There is no deadline here: the frame's watchdog names the test that hangs.
template <class Done>
void until(Done done) {
  while (!done()) std::this_thread::yield();
}

// Sanitizers make everything many times as slow: repetitions are fewer there, the interleavings better.
#if defined(__SANITIZE_THREAD__)
inline constexpr int SLOWNESS = 10;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr int SLOWNESS = 4;
#else
inline constexpr int SLOWNESS = 1;
#endif
constexpr int times(int n) {
  return n / SLOWNESS > 0 ? n / SLOWNESS : 1;
}

}  // namespace check

#define TEST(suite, name)                                                                           \
  static void test_##suite##_##name();                                                              \
  static const check::Registered registered_##suite##_##name{#suite, #name, test_##suite##_##name}; \
  static void test_##suite##_##name()

#define CHECK(condition)                                           \
  do {                                                             \
    if (!(condition)) check::fail(__FILE__, __LINE__, #condition); \
  } while (0)
#define CHECK_EQ(a, b) check::equal(__FILE__, __LINE__, #a " == " #b, (a), (b))
#define REQUIRE(condition)                         \
  do {                                             \
    if (!(condition)) {                            \
      check::fail(__FILE__, __LINE__, #condition); \
      std::_Exit(1);                               \
    }                                              \
  } while (0)
