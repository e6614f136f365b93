// Large bytes objects that move from one interpreter to another without a copy. The object's type is static and its
// memory, being larger than what CPython's own allocator serves, comes from malloc: nothing ties it to the interpreter
// that made it but its count of references.
#pragma once

#include "compat.h"

namespace boc::py {

// Smaller ones are copied: that costs no more than moving them.
constexpr Py_ssize_t kMovableSize = 4096;

// True if objects may move in this process at present: a build with a GIL that counts no references of its own, and
// CPython's usual allocator, with no hook of a debugger in it. The caller is attached.
bool objects_move() noexcept;

// True if `o`, of which the caller has one counted reference, may leave this interpreter. The caller is attached.
inline bool movable(PyObject* o) noexcept {
  return PyBytes_CheckExact(o) && PyBytes_GET_SIZE(o) >= kMovableSize && Py_REFCNT(o) == 1 && objects_move();
}

// Frees a bytes object that has left its interpreter. Any thread, attached or not.
void free_moved(void* bytes) noexcept;

// The contents of `o`, a bytearray of which the caller has the only counted reference, out of it: memory for
// Buffer::Kind::block. Null if it is too small or objects do not move; then it is unchanged. The caller is attached.
char* bytearray_release(PyObject* o) noexcept;
// A bytearray around such memory, which it takes over; null, with or without an error, if that does not work: then the
// memory stays the caller's.
PyObject* bytearray_around(char* memory, size_t size) noexcept;

}  // namespace boc::py
