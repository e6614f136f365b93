#include "movable.h"

#include <cstring>

// The mover needs an interpreter with a GIL of its own to be of use, and memory that is malloc's.
#if PY_VERSION_HEX >= 0x030C0000 && !defined(Py_GIL_DISABLED) && !defined(Py_DEBUG) && !defined(Py_TRACE_REFS) && \
    !defined(_WIN32)
#define BOC_OBJECTS_MOVE 1
#else
#define BOC_OBJECTS_MOVE 0
#endif

// From 3.15 on a bytearray's memory is a bytes object's.
#define BOC_BYTEARRAYS_MOVE (BOC_OBJECTS_MOVE && PY_VERSION_HEX < 0x030F0000)

#if BOC_OBJECTS_MOVE
// In the public headers of 3.12 only, and exported by all. Weak: where it is missing nothing moves.
extern "C" __attribute__((weak)) const char* _PyMem_GetCurrentAllocatorName(void);
#endif

namespace boc::py {

bool objects_move() noexcept {
#if BOC_OBJECTS_MOVE
  if (!&_PyMem_GetCurrentAllocatorName) return false;
  // The name is null while a hook is installed (tracemalloc), and another one for debugging allocators.
  const char* name = _PyMem_GetCurrentAllocatorName();
  return name && (std::strcmp(name, "pymalloc") == 0 || std::strcmp(name, "malloc") == 0);
#else
  return false;
#endif
}

void free_moved(void* bytes) noexcept {
  // Both end in malloc's free(). The first keeps sys.getallocatedblocks() right, summed over the interpreters.
  if (attached()) {
    PyObject_Free(bytes);
  } else {
    PyMem_RawFree(bytes);
  }
}

char* bytearray_release([[maybe_unused]] PyObject* o) noexcept {
#if BOC_BYTEARRAYS_MOVE
  auto* array = reinterpret_cast<PyByteArrayObject*>(o);
  if (!PyByteArray_CheckExact(o) || Py_SIZE(o) < kMovableSize || Py_REFCNT(o) != 1 || array->ob_exports > 0 ||
      array->ob_start != array->ob_bytes || !objects_move()) {
    return nullptr;
  }
  char* memory = array->ob_bytes;
  array->ob_bytes = array->ob_start = nullptr;
  array->ob_alloc = 0;
  Py_SET_SIZE(o, 0);
  return memory;
#else
  return nullptr;
#endif
}

PyObject* bytearray_around([[maybe_unused]] char* memory, [[maybe_unused]] size_t size) noexcept {
#if BOC_BYTEARRAYS_MOVE
  if (size < size_t(kMovableSize) || !objects_move()) return nullptr;
  PyObject* o = PyByteArray_FromStringAndSize(nullptr, 0);
  if (!o) return nullptr;
  auto* array = reinterpret_cast<PyByteArrayObject*>(o);
  array->ob_bytes = array->ob_start = memory;
  array->ob_alloc = Py_ssize_t(size) + 1;
  Py_SET_SIZE(o, Py_ssize_t(size));
  return o;
#else
  return nullptr;
#endif
}

}  // namespace boc::py
