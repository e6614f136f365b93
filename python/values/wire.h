// The native stream: what encoder.cpp writes and decoder.cpp reads, in one process, so that numbers lie in it as they
// lie in memory and the reader trusts the writer.
#pragma once

#include <cstdint>
#include <cstring>

#include "compat.h"

namespace boc::py::wire {

// "size" is one byte, or kLongSize and eight bytes.
enum Tag : uint8_t {
  kNone,
  kTrue,
  kFalse,
  kEllipsis,
  kNotImplemented,
  kInt32,            // 4 bytes
  kInt64,            // 8 bytes
  kIntBig,           // size, two's complement
  kFloat,            // 8 bytes
  kComplex,          // 16 bytes
  kAscii,            // size (characters), characters; so the next three
  kLatin1,           //
  kUcs2,             //
  kUcs4,             //
  kNamed,            // slot (1 byte), a string: it may come again
  kNamedAgain,       // slot
  kBytes,            // size, data
  kByteArray,        // size, data
  kBytesBeside,      // 4 bytes: number of the buffer; bytes or bytearray by its readonly
  kTuple,            // size, items; so the next three
  kList,             //
  kSet,              //
  kFrozenSet,        //
  kDict,             // size, keys and values in turn
  kIntTuple,         // size, items of 4 bytes
  kIntList,          // the same
  kFloatTuple,       // size, items of 8 bytes
  kFloatList,        // the same
  kSlice,            // three objects
  kRange,            // three objects
  kMark,             // an object that kAgain refers to by how many marks came before
  kAgain,            // 4 bytes
  kCown,             // 4 bytes: number of the outside entry
  kMatrix,           // the same
  kSmallInt = 0x80,  // 0x80..0xFF: kSmallest.. in the tag itself
};

constexpr long long kSmallest = -16;
constexpr long long kLargest = kSmallest + 0x7F;
constexpr uint8_t kLongSize = 0xFF;
constexpr size_t kMaxSize = 1 + sizeof(uint64_t);

// Strings that occur again and again (the keys of records): a direct-mapped table on both sides.
constexpr size_t kSlots = 64;

template <typename T>
inline uint8_t* store(uint8_t* p, T value) noexcept {
  std::memcpy(p, &value, sizeof value);
  return p + sizeof value;
}

template <typename T>
inline T load(const uint8_t*& p) noexcept {
  T value;
  std::memcpy(&value, p, sizeof value);
  p += sizeof value;
  return value;
}

inline uint8_t* store_size(uint8_t* p, size_t n) noexcept {
  if (n < kLongSize) {
    *p = uint8_t(n);
    return p + 1;
  }
  *p = kLongSize;
  return store(p + 1, uint64_t(n));
}

inline size_t load_size(const uint8_t*& p) noexcept {
  uint8_t n = *p++;
  return n < kLongSize ? n : size_t(load<uint64_t>(p));
}

// The value of an exact int that is one digit long at most; false for others. Never fails.
inline bool one_digit(PyObject* o, long long* value) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
  auto* number = reinterpret_cast<PyLongObject*>(o);
  if (!PyUnstable_Long_IsCompact(number)) return false;
  *value = PyUnstable_Long_CompactValue(number);
  return true;
#else
  int overflow;
  *value = PyLong_AsLongLongAndOverflow(o, &overflow);
  return !overflow && *value >= INT32_MIN && *value <= INT32_MAX;
#endif
}

}  // namespace boc::py::wire
