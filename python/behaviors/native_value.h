// Objects behind cowns that are not Python's: the C interface's.
#pragma once

#include "payload.h"

namespace boc::py {

struct NativeValue {
  void* object;
  const char* type;  // compared as a string
  void (*destroy)(void* object);
};

// Touched by who holds the cown, and by its destruction. The payload's Python value is another matter.
// Takes over `object`: -1 with MemoryError, and it is destroyed.
inline int set_native_value(Payload& payload, const NativeValue& value) {
  auto* kept = new (std::nothrow) NativeValue(value);
  if (!kept) {
    value.destroy(value.object);
    PyErr_NoMemory();
    return -1;
  }
  if (NativeValue* old = std::exchange(payload.native, kept)) {
    old->destroy(old->object);
    delete old;
  }
  return 0;
}

inline void drop_native_value(Payload& payload) noexcept {
  NativeValue* value = std::exchange(payload.native, nullptr);
  value->destroy(value->object);
  delete value;
}

}  // namespace boc::py
