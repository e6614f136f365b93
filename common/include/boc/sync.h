// The one header through which the core names atomics, spinning and sleeping. A test build can replace these
// few names to make each operation a yield point and each wait a guard.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

// Checks a numbered invariant where the class that declares it is implemented; compiled out of release builds.
#ifndef NDEBUG
#define BOC_INVARIANT(condition, number)                                                                \
  do {                                                                                                  \
    if (!(condition)) {                                                                                 \
      std::fprintf(stderr, "%s:%d: invariant %s broken: %s\n", __FILE__, __LINE__, number, #condition); \
      std::abort();                                                                                     \
    }                                                                                                   \
  } while (0)
#else
#define BOC_INVARIANT(condition, number) ((void)0)
#endif

// For a pointer per thread on the hot path: no call to find it, though the library is loaded late. glibc
// keeps a little room for such variables, so only words go there; other C libraries keep none.
#if defined(__GLIBC__) && defined(__ELF__)
#define BOC_FAST_TLS __attribute__((tls_model("initial-exec")))
#else
#define BOC_FAST_TLS
#endif

namespace boc {

template <class T>
using atomic = std::atomic<T>;

inline constexpr auto relaxed = std::memory_order_relaxed;
inline constexpr auto acquire = std::memory_order_acquire;
inline constexpr auto release = std::memory_order_release;
inline constexpr auto acq_rel = std::memory_order_acq_rel;
inline constexpr auto seq_cst = std::memory_order_seq_cst;

inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();  // <immintrin.h> would be a quarter of a file's compile time
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// ThreadSanitizer does not model fences; a RMW on a private word stands in for one there.
inline void full_fence() noexcept {
#if defined(__SANITIZE_THREAD__)
  static std::atomic<int> word{0};
  word.fetch_add(1, std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

// Spins for what another thread does within a few instructions. That thread may have been preempted (there may be
// more workers than cores), so after a short while the processor is given away.
template <class Predicate>
inline void spin_until(Predicate&& done) noexcept {
  for (unsigned round = 0; !done(); ++round) {
    if (round < 128) {
      cpu_relax();
    } else {
      std::this_thread::yield();
    }
  }
}

// The memory behind `address` will be used soon: behaviors wait in lists that are longer than the caches.
inline void prefetch(const void* address) noexcept {
  __builtin_prefetch(address, 1);
}

// Guards a few instructions without calls. Lockable, so that std::lock_guard works.
class SpinLock {
 public:
  void lock() noexcept {
    while (!try_lock()) spin_until([this] { return !held_.load(relaxed); });
  }
  bool try_lock() noexcept { return !held_.load(relaxed) && !held_.exchange(true, acquire); }
  void unlock() noexcept { held_.store(false, release); }  // pairs with the acquire in try_lock

 private:
  atomic<bool> held_{false};
};

// One thread sleeps here until another one lets it go on. The permit is remembered, so unpark() may come first.
class Parker {
 public:
  void park() {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return permitted(); });
    permit_.store(false, relaxed);
  }
  // Returns false if the time ran out without a permit.
  bool park_for(std::chrono::nanoseconds time) {
    std::unique_lock lock(mutex_);
    const bool in_time = condition_.wait_for(lock, time, [this] { return permitted(); });
    permit_.store(false, relaxed);
    return in_time;
  }
  // Looks out for the permit, awake, for so long at most; park() takes it then. Going to sleep and being woken costs
  // more than such a look if the permit comes soon.
  void linger(std::chrono::nanoseconds time) noexcept {
    const auto end = std::chrono::steady_clock::now() + time;
    do {
      for (int round = 0; round < 16; ++round) {
        if (permitted()) {
          // Whoever gives it may still hold the mutex for a moment: too short for park() to sleep on it.
          spin_until([this] { return mutex_.try_lock(); });
          mutex_.unlock();
          return;
        }
        cpu_relax();
      }
    } while (std::chrono::steady_clock::now() < end);
  }
  void unpark() noexcept {
    // Notified under the mutex: the sleeper may destroy the parker as soon as it has seen the permit.
    std::lock_guard lock(mutex_);
    permit_.store(true, relaxed);
    condition_.notify_one();
  }

 private:
  bool permitted() const noexcept { return permit_.load(relaxed); }

  std::mutex mutex_;
  std::condition_variable condition_;
  atomic<bool> permit_{false};  // changes under the mutex, which also orders what comes before and after it
};

}  // namespace boc
