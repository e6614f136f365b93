// A value on its way between interpreters: bytes that any of them can decode. A Python object belongs to one
// interpreter; what lies here belongs to the process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "compat.h"
#include "doubles.h"

namespace boc::py {

struct Payload;

// What the codec asks of those who know cowns. Defined where Payload is known.
void keep_payload(Payload* payload) noexcept;            // another strong reference; any thread
void let_go_payload(Payload* payload) noexcept;          // one strong reference less; any thread, attached or not
Payload* payload_of_cown(PyObject* cown) noexcept;       // borrowed; `cown` passes is_cown()
PyObject* wrap_kept_payload(Payload* payload) noexcept;  // a handle in the current interpreter, with a reference of its
                                                         // own; null with an error

// Memory beside the stream: the contents of a large bytes or bytearray, of an array.
struct Buffer {
  enum class Kind : uint8_t {
    block,  // `memory` came from malloc(size + 1) and ends with a zero byte
    bytes,  // `memory` is a bytes object that no interpreter refers to: see movable.h
    stuck,  // the same, but an interpreter does refer to it, and there was no memory for a copy: never freed
  };

  void* memory = nullptr;
  size_t size = 0;
  Kind kind = Kind::block;
  bool readonly = true;

  // A copy; of a large readonly one in the shape of an object, if objects move here. Throws std::bad_alloc. The caller
  // is attached.
  static Buffer copy(const void* data, size_t size, bool readonly);

  const char* data() const noexcept;
  void free() noexcept;  // any thread, attached or not
};

// What the stream refers to by number: a cown, an object that its own type carries (xidata.h), or a matrix.
struct Outside {
  Payload* cown = nullptr;
  void* shared = nullptr;
  MatrixShare matrix = {};

  void let_go() noexcept;  // any thread
};

// Reference-counted, made by encode() and its kin in encoder.h and carry_bridge.h, read by decoder.h.
// Invariants
//   E1  Nothing in it changes once another thread can see it, but for the count; take() (decoder.h) changes what it
//       alone refers to.
//   E2  Nothing in it is counted as a reference by any interpreter, so that the last unref() may happen in any thread,
//       attached or not. It runs Python code only in an interpreter that shared an object by its type (xidata.h).
class Encoded {
 public:
  enum class Format : uint8_t { native, pickle, buffer };  // buffer: the value is buffers()[0], and there are no bytes

  Encoded(const Encoded&) = delete;
  Encoded& operator=(const Encoded&) = delete;

  void ref() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void unref() noexcept {
    // Release: whoever frees has seen the reads of all; acquire pairs with it.
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }
  // Nobody but the caller refers to it. Acquire: pairs with unref().
  bool unique() const noexcept { return references_.load(std::memory_order_acquire) == 1; }

  size_t weight() const noexcept;  // bytes in all
  // The same stream, buffers and cowns. False whenever objects are carried by their types: nobody can compare those.
  bool same_bytes(const Encoded& other) const noexcept;

  Format format() const noexcept { return format_; }
  const uint8_t* bytes() const noexcept { return reinterpret_cast<const uint8_t*>(this + 1); }
  size_t size() const noexcept { return size_; }
  uint32_t marks() const noexcept {
    return marks_;
  }  // how many objects of the native stream are marked; 0 if none comes again
  const std::vector<Buffer>& buffers() const noexcept { return buffers_; }
  const std::vector<Outside>& outside() const noexcept { return outside_; }

 private:
  friend class EncodedBuilder;
  friend class Decoder;
  friend Encoded* encode_stolen(PyObject* value, PyObject** left);
  Encoded() = default;
  ~Encoded() = default;
  void destroy() noexcept;

  std::atomic<uint32_t> references_{1};
  uint32_t marks_ = 0;
  Format format_ = Format::native;
  size_t size_ = 0;
  std::vector<Buffer> buffers_;
  std::vector<Outside> outside_;
};

// A strong reference to one.
class EncodedRef {
 public:
  EncodedRef() = default;
  explicit EncodedRef(Encoded* stolen) noexcept : encoded_(stolen) {}
  EncodedRef(const EncodedRef& other) noexcept : encoded_(other.encoded_) {
    if (encoded_) encoded_->ref();
  }
  EncodedRef(EncodedRef&& other) noexcept : encoded_(other.release()) {}
  EncodedRef& operator=(EncodedRef other) noexcept {
    std::swap(encoded_, other.encoded_);
    return *this;
  }
  ~EncodedRef() {
    if (encoded_) encoded_->unref();
  }

  Encoded* get() const noexcept { return encoded_; }
  Encoded& operator*() const noexcept { return *encoded_; }
  Encoded* operator->() const noexcept { return encoded_; }
  Encoded* release() noexcept { return std::exchange(encoded_, nullptr); }
  explicit operator bool() const noexcept { return encoded_ != nullptr; }

 private:
  Encoded* encoded_ = nullptr;
};

// Makes one: a stream that is written front to back, and what lies beside it. What is not finished is freed.
class EncodedBuilder {
 public:
  EncodedBuilder() = default;
  EncodedBuilder(const EncodedBuilder&) = delete;
  EncodedBuilder& operator=(const EncodedBuilder&) = delete;
  ~EncodedBuilder() { reset(); }

  // Room for `n` more bytes at `next`; false if there is no memory.
  bool reserve(size_t n) noexcept { return n <= size_t(end - next) || grow(n); }
  size_t written() const noexcept { return size_t(next - begin()); }

  // Each takes over what it is given, also when it throws std::bad_alloc.
  void add_buffer(Buffer buffer);
  void add_outside(Outside outside);

  // The result; the builder is as new then. Null if there is no memory; then nothing has changed.
  Encoded* finish(Encoded::Format format, uint32_t marks = 0) noexcept;
  void reset() noexcept;

  uint8_t* next = small_;
  std::vector<Buffer> buffers;
  std::vector<Outside> outside;

 private:
  uint8_t* begin() const noexcept { return block_ ? block_ + sizeof(Encoded) : const_cast<uint8_t*>(small_); }
  bool grow(size_t n) noexcept;

  static constexpr size_t kSmall = 512;

  uint8_t* end = small_ + kSmall;
  uint8_t* block_ = nullptr;  // from malloc, with room for the header in front, once small_ is too small
  alignas(8) uint8_t small_[kSmall];
};

}  // namespace boc::py
