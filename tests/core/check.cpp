// Runs all tests, or those of the suites named on the command line. Suites called planted_* hold errors on purpose and
// run only if named.
#include "check.h"

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>

namespace check {
namespace {

std::atomic<int> failures{0};

// Ends the program, by name of the test, if one takes longer than any healthy test does.
class Watchdog {
 public:
  Watchdog() : thread_([this] { watch(); }) {}
  ~Watchdog() {
    {
      std::lock_guard lock(mutex_);
      over_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  void begin(const Test& test) {
    std::lock_guard lock(mutex_);
    test_ = &test;
    ++number_;
    wake_.notify_one();
  }

 private:
  void watch() {
    std::unique_lock lock(mutex_);
    while (!over_) {
      const int number = number_;
      const bool moved = wake_.wait_for(lock, std::chrono::seconds(90), [&] { return over_ || number_ != number; });
      if (moved || !test_) continue;
      std::fprintf(stderr, "HANGS: %s.%s\n", test_->suite, test_->name);
      std::abort();
    }
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  const Test* test_ = nullptr;
  int number_ = 0;
  bool over_ = false;
  std::thread thread_;
};

bool selected(const Test& test, int argc, char** argv) {
  if (argc < 2) return std::strncmp(test.suite, "planted", 7) != 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(test.suite, argv[i]) == 0 || (std::string(test.suite) + "." + test.name) == argv[i]) return true;
  }
  return false;
}

}  // namespace

std::vector<Test>& all_tests() {
  static std::vector<Test> tests;
  return tests;
}

void fail(const char* file, int line, const std::string& what) {
  failures.fetch_add(1);
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
}

}  // namespace check

int main(int argc, char** argv) {
  using namespace check;
  int run = 0, failed = 0;
  Watchdog watchdog;
  for (const Test& test : all_tests()) {
    if (!selected(test, argc, argv)) continue;
    watchdog.begin(test);
    const int before = failures.load();
    const auto begun = std::chrono::steady_clock::now();
    test.body();
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
    const bool good = failures.load() == before;
    ++run;
    if (!good) ++failed;
    std::printf("%s %s.%s (%d ms)\n", good ? "ok    " : "FAILED", test.suite, test.name,
                static_cast<int>(time.count()));
    std::fflush(stdout);
  }
  std::printf("%d tests, %d failed\n", run, failed);
  if (run == 0) std::fprintf(stderr, "no test has that name\n");
  return run == 0 || failed != 0 ? 1 : 0;
}
