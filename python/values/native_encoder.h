// Writes the native stream.
#pragma once

#include "encoded.h"
#include "seen.h"
#include "wire.h"

namespace boc::py {

// The contents of a bytearray as a buffer. Throws std::bad_alloc.
Buffer copy_byte_array(PyObject* o);

// What is written is held by the value itself: nothing else runs in this interpreter meanwhile. On free-threaded
// builds others may change the value; there each container is copied first (the library does that safely) and the
// copies live as long as the encoder, so that no address in its tables can come to mean another object.
class NativeEncoder {
 public:
  // Larger matrices are not for the native format.
  explicit NativeEncoder(Py_ssize_t most = PY_SSIZE_T_MAX) noexcept : most_(most) {}

  // False: `o` is not for the native format, or failed().
  bool put(PyObject* o);
  bool failed() const noexcept { return failed_; }
  Encoded* finish() noexcept { return out_.finish(Encoded::Format::native, again_ ? seen_.count() : 0); }

 private:
  bool put_int(PyObject* o);
  bool put_string(PyObject* o);
  bool put_named(PyObject* o);
  bool put_bytes(PyObject* o);
  bool put_byte_array(PyObject* o);
  bool put_beside(Buffer buffer);
  bool put_rest(PyObject* o, PyTypeObject* type);
  bool put_container(PyObject* o, PyTypeObject* type);
  bool put_items(PyObject* o, PyTypeObject* type);
  bool put_ints(uint8_t tag, PyObject* const* items, size_t n);
  bool put_floats(uint8_t tag, PyObject* const* items, size_t n);
  bool put_sequence(uint8_t tag, PyObject* const* items, size_t n);
  bool put_dict(PyObject* o);
  bool put_set(PyObject* o, uint8_t tag);
  bool put_slice(PyObject* o);
  bool put_range(PyObject* o);
  bool put_cown(PyObject* o);
  bool put_matrix(PyObject* o);
  bool put_number(uint8_t tag, size_t number);
  bool put_head(uint8_t tag, size_t size);
  bool put_tag(uint8_t tag) {
    if (!out_.reserve(1)) return no_memory();
    *out_.next++ = tag;
    return true;
  }

  // 1: it came before, and a reference to that is written; 0: write it now; -1: give up.
  int meet(PyObject* o, bool immutable);
  void close(PyObject* o) {
    bool fresh;
    seen_.find(o, &fresh)->open = false;
  }
  bool no_memory() {
    PyErr_NoMemory();
    return fail();
  }
  bool fail() noexcept {
    failed_ = true;
    return false;
  }
  PyObject* steady(PyObject* o, PyObject* (*copy)(PyObject*));

  EncodedBuilder out_;
  Seen seen_;
  const Py_ssize_t most_;
  int depth_ = 0;
  bool failed_ = false;
  bool again_ = false;  // something does occur twice
  uint64_t named_ = 0;  // which of names_ are in use
  PyObject* names_[wire::kSlots];
  static_assert(wire::kSlots == 64);
#ifdef Py_GIL_DISABLED
  std::vector<Ref> copies_;
#endif
};

}  // namespace boc::py
