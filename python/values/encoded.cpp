#include "encoded.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "movable.h"
#include "xidata.h"

namespace boc::py {

Buffer Buffer::copy(const void* data, size_t size, bool readonly) {
  if (readonly && size >= size_t(kMovableSize) && objects_move()) {
    PyObject* copied = PyBytes_FromStringAndSize(static_cast<const char*>(data), Py_ssize_t(size));
    if (copied) return {copied, size, Kind::bytes, true};
    PyErr_Clear();
    throw std::bad_alloc();
  }
  auto* memory = static_cast<char*>(std::malloc(size + 1));
  if (!memory) throw std::bad_alloc();
  std::memcpy(memory, data, size);
  memory[size] = 0;
  return {memory, size, Kind::block, readonly};
}

const char* Buffer::data() const noexcept {
  if (kind == Kind::block) return static_cast<const char*>(memory);
  return PyBytes_AS_STRING(static_cast<PyObject*>(memory));
}

void Buffer::free() noexcept {
  if (kind == Kind::bytes) {
    free_moved(memory);
  } else if (kind == Kind::block) {
    std::free(memory);
  }
  memory = nullptr;
}

void Outside::let_go() noexcept {
  if (cown) let_go_payload(cown);
  if (shared) xi_release(shared);
  if (matrix.doubles) matrix.doubles->unref();
}

size_t Encoded::weight() const noexcept {
  size_t sum = sizeof(Encoded) + size_ + outside_.size() * sizeof(Outside);
  for (const Buffer& buffer : buffers_) sum += sizeof(Buffer) + buffer.size;
  for (const Outside& entry : outside_) {
    if (entry.matrix.doubles) sum += entry.matrix.doubles->size() * sizeof(double);
  }
  return sum;
}

namespace {

bool same_matrix(const MatrixShare& a, const MatrixShare& b) noexcept {
  if (!a.doubles || !b.doubles) return a.doubles == b.doubles;
  return a.rows == b.rows && a.columns == b.columns &&
         std::memcmp(a.doubles->data(), b.doubles->data(), a.doubles->size() * sizeof(double)) == 0;
}

}  // namespace

bool Encoded::same_bytes(const Encoded& other) const noexcept {
  if (format_ != other.format_ || size_ != other.size_ || buffers_.size() != other.buffers_.size() ||
      outside_.size() != other.outside_.size() || std::memcmp(bytes(), other.bytes(), size_) != 0) {
    return false;
  }
  for (size_t i = 0; i < outside_.size(); ++i) {
    const Outside &a = outside_[i], &b = other.outside_[i];
    if (a.shared || b.shared || a.cown != b.cown || !same_matrix(a.matrix, b.matrix)) return false;
  }
  for (size_t i = 0; i < buffers_.size(); ++i) {
    const Buffer &a = buffers_[i], &b = other.buffers_[i];
    if (a.size != b.size || a.readonly != b.readonly || std::memcmp(a.data(), b.data(), a.size) != 0) return false;
  }
  return true;
}

void Encoded::destroy() noexcept {
  for (Buffer& buffer : buffers_) buffer.free();
  for (Outside& entry : outside_) entry.let_go();
  this->~Encoded();
  std::free(this);
}

void EncodedBuilder::add_buffer(Buffer buffer) {
  try {
    buffers.push_back(buffer);
  } catch (...) {
    buffer.free();
    throw;
  }
}

void EncodedBuilder::add_outside(Outside entry) {
  try {
    outside.push_back(entry);
  } catch (...) {
    entry.let_go();
    throw;
  }
}

bool EncodedBuilder::grow(size_t n) noexcept {
  size_t used = written();
  size_t room = std::max(2 * size_t(end - begin()), used + n);
  auto* larger = static_cast<uint8_t*>(std::realloc(block_, sizeof(Encoded) + room));
  if (!larger) return false;
  if (!block_) std::memcpy(larger + sizeof(Encoded), small_, used);
  block_ = larger;
  next = begin() + used;
  end = begin() + room;
  return true;
}

Encoded* EncodedBuilder::finish(Encoded::Format format, uint32_t marks) noexcept {
  size_t used = written();
  uint8_t* block;
  if (!block_) {
    block = static_cast<uint8_t*>(std::malloc(sizeof(Encoded) + used));
    if (block) std::memcpy(block + sizeof(Encoded), small_, used);
  } else {
    block = block_;
    if (size_t(end - next) > used / 4) {
      auto* smaller = static_cast<uint8_t*>(std::realloc(block, sizeof(Encoded) + used));
      if (smaller) block = smaller;
    }
    block_ = nullptr;
  }
  if (!block) return nullptr;
  auto* made = new (block) Encoded;
  made->format_ = format;
  made->marks_ = marks;
  made->size_ = used;
  made->buffers_ = std::exchange(buffers, {});
  made->outside_ = std::exchange(outside, {});
  next = small_;
  end = small_ + kSmall;
  return made;
}

void EncodedBuilder::reset() noexcept {
  for (Buffer& buffer : buffers) buffer.free();
  for (Outside& entry : outside) entry.let_go();
  buffers.clear();
  outside.clear();
  std::free(block_);
  block_ = nullptr;
  next = small_;
  end = small_ + kSmall;
}

}  // namespace boc::py
