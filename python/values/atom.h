// Values so small that they need no memory of their own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "compat.h"

namespace boc::py {

// A small value inline: None, bool, an int of 64 bits, float, str and bytes of up to 22 bytes. It holds no reference,
// may be copied as it is, and means the same in every interpreter.
struct Atom {
  enum Kind : uint8_t { kNothing, kNone, kFalse, kTrue, kInt, kFloat, kAscii, kLatin1, kUcs2, kUcs4, kBytes };
  static constexpr size_t kRoom = 22;

  uint8_t kind = kNothing;
  uint8_t size = 0;  // in bytes
  char data[kRoom];
};
static_assert(sizeof(Atom) == 24);

// False, with no error, if `o` is not such a value. Runs no Python code.
bool to_atom(PyObject* o, Atom& atom) noexcept;

// A new reference; null with MemoryError. Not for Atom::kNothing.
PyObject* from_atom(const Atom& atom) noexcept;

// A string from what PyUnicode_DATA() of one with such characters is.
PyObject* new_string(const void* data, size_t characters, Py_UCS4 largest, int kind) noexcept;

}  // namespace boc::py
