// A stack, and where the code on it left off. By Boost.Context's switch, which other languages' frames can be below.
#pragma once

#include <cstddef>

namespace boc {

class Fiber {
 public:
  // The calling thread's own stack, or, after make(), one of its own.
  Fiber() = default;
  ~Fiber();  // of one that has ended, or never began
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Does this build know how to switch stacks?
  static bool supported() noexcept;
  // The first jump() to it calls entry(argument), which must not return: its last step is a jump() away. The stack has
  // `bytes` bytes, of which only what is used takes memory, and below it a page that nothing can touch. False: no memory.
  bool make(size_t bytes, void (*entry)(void*), void* argument) noexcept;
  // Goes on where `to` left off, on the same thread, and returns when somebody jumps back. `last`: nobody will.
  static void jump(Fiber& from, Fiber& to, bool last) noexcept;

  bool owns_stack() const noexcept { return mapping_ != nullptr; }
  const void* low() const noexcept { return low_; }
  size_t size() const noexcept { return size_; }

 private:
  static void begin(Fiber& left) noexcept;
  void arrive(Fiber& left) noexcept;

  void* context_ = nullptr;
  void* mapping_ = nullptr;  // null: the thread's own
  size_t mapped_ = 0;
  const void* low_ = nullptr;
  size_t size_ = 0;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  Fiber* next_ = nullptr;      // who goes on as this one is left; not on its stack, which may be gone by then
  void* sanitizer_ = nullptr;  // its fake stack, or its name with ThreadSanitizer
};

}  // namespace boc
