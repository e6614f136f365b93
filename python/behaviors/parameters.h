// What a behavior was given as its cowns, and the block of memory that it becomes.
#pragma once

#include <new>

#include "handles.h"

namespace boc::py {

// What a @when was given, checked: per parameter a cown, a read(...), or a tuple of cowns (a group). Borrowed.
struct Parameters {
  PyObject* const* items;
  Py_ssize_t count;
  size_t requests;  // cowns in all, duplicates included
};

// Memory from the pool; null with MemoryError.
void* allocate_block(size_t bytes) noexcept;

// One block for a behavior, `tail` bytes of the backend's behind it, its requests and the result's. Null with
// MemoryError.
template <class T>
T* allocate_behavior(size_t tail, size_t requests) noexcept {
  const size_t at = (sizeof(T) + tail + alignof(Request) - 1) / alignof(Request) * alignof(Request);
  const size_t bytes = at + (requests + 1) * sizeof(Request);
  void* block = allocate_block(bytes);
  if (!block) return nullptr;
  T* b = new (block) T;
  b->bytes = static_cast<uint32_t>(bytes);
  b->requests = reinterpret_cast<Request*>(static_cast<char*>(block) + at);
  return b;
}

// Adds a request for the cown (behind the handle); a pinned one makes the behavior pinned. -1 with an error if it cannot
// be scheduled on.
int add_request(PyBehavior& behavior, Payload* payload, uint32_t flags);
inline int add_request(PyBehavior& behavior, PyObject* cown, uint32_t flags) {
  return add_request(behavior, payload_of(cown), flags);
}

// Is one of them pinned? Cheap as long as the program has made no pinned cown.
inline bool any_pinned(const Parameters& p) noexcept {
  if (!pinned_cowns_exist.load(relaxed)) return false;
  for (Py_ssize_t i = 0; i < p.count; ++i) {
    PyObject* inner = inner_of(p.items[i]);
    if (is_cown_object(inner)) {
      if (payload_of(inner)->pinned) return true;
      continue;
    }
    for (Py_ssize_t j = 0; j < PyTuple_GET_SIZE(inner); ++j) {
      if (payload_of(PyTuple_GET_ITEM(inner, j))->pinned) return true;
    }
  }
  return false;
}

// Adds the requests of one parameter's item and calls `each(handle)` for each of its cowns; -1 with an error.
template <class F>
int add_item(PyBehavior& behavior, PyObject* item, F&& each) {
  const uint32_t flags = is_read_object(item) ? uint32_t{Request::READ} : 0;
  PyObject* inner = inner_of(item);
  if (is_cown_object(inner)) {
    if (add_request(behavior, inner, flags) < 0) return -1;
    each(inner);
    return 0;
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(inner); ++i) {
    if (add_request(behavior, PyTuple_GET_ITEM(inner, i), flags) < 0) return -1;
    each(PyTuple_GET_ITEM(inner, i));
  }
  return 0;
}

}  // namespace boc::py
