#include "encoder.h"

#include <new>

#include "carry_bridge.h"
#include "movable.h"
#include "native_encoder.h"

namespace boc::py {
namespace {

Encoded* made_or_no_memory(Encoded* made) {
  if (!made) PyErr_NoMemory();
  return made;
}

Encoded* buffer_alone(Buffer buffer) {
  EncodedBuilder out;
  out.add_buffer(buffer);
  return made_or_no_memory(out.finish(Encoded::Format::buffer));
}

Encoded* encode_anyhow(PyObject* value) {
  try {
    if (PyBytes_CheckExact(value) && PyBytes_GET_SIZE(value) >= kMovableSize) {
      return buffer_alone(Buffer::copy(PyBytes_AS_STRING(value), size_t(PyBytes_GET_SIZE(value)), true));
    }
    if (PyByteArray_CheckExact(value) && PyByteArray_GET_SIZE(value) >= kMovableSize) {
      return buffer_alone(copy_byte_array(value));
    }
    NativeEncoder encoder;
    if (encoder.put(value)) return made_or_no_memory(encoder.finish());
    if (encoder.failed()) return nullptr;
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return nullptr;
  }
  return pack(value);
}

}  // namespace

Encoded* encode(PyObject* value) {
  const TransferKind kind(Transfer::copy);
  return encode_anyhow(value);
}

Encoded* encode_shortly(PyObject* value, Transfer kind, Py_ssize_t most) noexcept {
  Encoded* made = nullptr;
  PyObject* raised = take_exception();
  const TransferKind as(kind);
  try {
    NativeEncoder encoder(kind == Transfer::copy ? most : PY_SSIZE_T_MAX);
    if (encoder.put(value)) made = encoder.finish();
  } catch (const std::bad_alloc&) {
  }
  PyErr_Clear();
  raise_exception(raised);
  return made;
}

Encoded* encode_stolen(PyObject* value, PyObject** left) {
  *left = nullptr;
  bool bytes = movable(value);
  if (bytes || (PyByteArray_CheckExact(value) && PyByteArray_GET_SIZE(value) >= kMovableSize)) {
    // Everything that can fail comes before the value changes hands.
    EncodedRef made;
    try {
      made = EncodedRef(buffer_alone(Buffer()));
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
    }
    if (!made) return nullptr;
    Buffer& buffer = made->buffers_[0];
    if (bytes) {
      buffer = {value, size_t(PyBytes_GET_SIZE(value)), Buffer::Kind::bytes, true};
      return made.release();
    }
    size_t size = size_t(PyByteArray_GET_SIZE(value));
    if (char* memory = bytearray_release(value)) {
      buffer = {memory, size, Buffer::Kind::block, false};
      *left = value;
      return made.release();
    }
  }
  const TransferKind kind(Transfer::move);
  Encoded* made = encode_anyhow(value);
  if (made) *left = value;
  return made;
}

}  // namespace boc::py
