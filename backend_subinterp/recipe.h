// A function by value, as bytes that any home can make a function from. Process-wide; made once per function and
// bindings (kept_recipes.h).
#pragma once

#include <string>
#include <vector>

#include "encoded.h"
#include "home.h"

namespace boc::py {

struct Site;

// Invariants
//   X1  Two recipes that live at the same time differ in their bytes or flags: a function that was unpacked in one home and
//       is scheduled from there is the same recipe again, however often it goes to and fro.
class Recipe {
 public:
  // The one with these bytes and flags, with a reference of the caller's own.
  static Recipe* find_or_make(EncodedRef bytes, Site* site, bool mutable_data, bool stores_globals);
  Recipe(const Recipe&) = delete;
  Recipe& operator=(const Recipe&) = delete;

  uint64_t id() const noexcept { return id_; }  // never used twice
  const EncodedRef& bytes() const noexcept { return bytes_; }
  Site* site() const noexcept { return site_; }
  // Data that could have been changed in place lies in it.
  bool mutable_data() const noexcept { return mutable_data_; }
  // The code stores to globals: each behavior gets a dict of its own.
  bool stores_globals() const noexcept { return stores_globals_; }

  void ref() noexcept { refs_.fetch_add(1, relaxed); }
  void unref() noexcept;

  // Behaviors with it that have not ended.
  void begin() noexcept { pending_.fetch_add(1, relaxed); }
  void end() noexcept { pending_.fetch_sub(1, release); }  // partner: the acquire in pending()
  bool pending() const noexcept { return pending_.load(acquire) != 0; }

  // A home has a template made from it, and is told when it goes.
  void made_in(Home& home);

 private:
  Recipe(EncodedRef bytes, Site* site, bool mutable_data, bool stores_globals) noexcept;
  ~Recipe();
  bool ref_if_alive() noexcept;

  const uint64_t id_;
  EncodedRef bytes_;
  Site* const site_;  // a reference
  const bool mutable_data_;
  const bool stores_globals_;
  atomic<uint32_t> refs_{1};
  alignas(64) atomic<int32_t> pending_{0};
  SpinLock lock_;
  std::vector<Home*> homes_;
};

// In the child of a fork: the parent's threads may have held the lock of the table.
void recipes_after_fork() noexcept;

}  // namespace boc::py
