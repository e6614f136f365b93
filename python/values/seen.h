// Which objects an encoder has met that it could meet again: a hash table of addresses.
#pragma once

#include <cstdint>
#include <memory>

#include "compat.h"

namespace boc::py {

class Seen {
 public:
  struct Entry {
    PyObject* object;
    uint32_t number;
    bool open;  // an immutable container whose items are being written
  };

  // The entry of `o`; a new one, with the next number, if `*fresh`. Valid until the next call. Throws std::bad_alloc.
  Entry* find(PyObject* o, bool* fresh) {
    if (2 * (count_ + 1) > capacity_) grow();
    Entry* entry = slot(o);
    *fresh = !entry->object;
    if (*fresh) *entry = {o, count_++, false};
    return entry;
  }
  uint32_t count() const noexcept { return count_; }

 private:
  Entry* slot(PyObject* o) noexcept {
    auto address = reinterpret_cast<uintptr_t>(o);
    size_t i = (address >> 4) * 0x9E3779B97F4A7C15ull >> 20;
    for (;; ++i) {
      Entry* entry = entries_ + (i & (capacity_ - 1));
      if (!entry->object || entry->object == o) return entry;
    }
  }
  void grow() {
    // The first few are within: most values have one object that anybody else refers to, themselves.
    if (!capacity_) {
      for (Entry& entry : first_) entry.object = nullptr;
      capacity_ = kFirst;
      return;
    }
    auto larger = std::make_unique<Entry[]>(4 * capacity_);
    Entry* before = entries_;
    size_t n = capacity_;
    entries_ = larger.get();
    capacity_ = 4 * n;
    for (size_t i = 0; i < n; ++i) {
      if (before[i].object) *slot(before[i].object) = before[i];
    }
    heap_ = std::move(larger);
  }

  static constexpr size_t kFirst = 16;

  size_t capacity_ = 0;  // a power of two
  uint32_t count_ = 0;
  Entry first_[kFirst];
  Entry* entries_ = first_;
  std::unique_ptr<Entry[]> heap_;
};

}  // namespace boc::py
