#include "library.h"

#include <bit>
#include <cstdlib>
#include <new>

#include "carry_bridge.h"
#include "decoder.h"
#include "xidata.h"

namespace boc::py {
namespace {

using Entry = std::atomic<Encoded*>;

// Shelves of 64, 128, 256... entries. Nothing moves and nothing is removed, so that there is no lock that a fork could
// find held.
constexpr uint32_t kFirstShelf = 64;
constexpr int kShelves = 24;

std::atomic<Entry*> shelves[kShelves];
std::atomic<uint32_t> taken{0};

// Null if that shelf has not been made.
Entry* find(uint32_t number) noexcept {
  uint32_t shelf = uint32_t(std::bit_width(number / kFirstShelf + 1)) - 1;
  if (shelf >= uint32_t(kShelves)) return nullptr;
  Entry* entries = shelves[shelf].load(std::memory_order_acquire);  // pairs with make_shelf
  return entries ? entries + (number - kFirstShelf * ((1u << shelf) - 1)) : nullptr;
}

bool make_shelf(uint32_t number) noexcept {
  uint32_t shelf = uint32_t(std::bit_width(number / kFirstShelf + 1)) - 1;
  if (shelf >= uint32_t(kShelves)) return false;
  // Zero bytes are empty entries.
  auto* made = static_cast<Entry*>(std::calloc(size_t(kFirstShelf) << shelf, sizeof(Entry)));
  Entry* none = nullptr;
  if (made && !shelves[shelf].compare_exchange_strong(none, made, std::memory_order_acq_rel)) std::free(made);
  return made != nullptr;
}

// The number of a new entry, which is empty; -1 with an error.
long reserve() {
  uint32_t number = taken.fetch_add(1, std::memory_order_relaxed);
  if (find(number) || make_shelf(number)) return long(number);
  PyErr_NoMemory();
  return -1;
}

// The entry of a number that Python code gave; null with an error.
Entry* entry_of(PyObject* number) {
  long n = PyLong_AsLong(number);
  if (n == -1 && PyErr_Occurred()) return nullptr;
  bool known = n >= 0 && n < long(taken.load(std::memory_order_relaxed));
  Entry* entry = known ? find(uint32_t(n)) : nullptr;
  if (!entry) PyErr_Format(PyExc_LookupError, "the process has no class definition number %ld", n);
  return entry;
}

PyObject* library_reserve(PyObject*, PyObject*) {
  long number = reserve();
  return number < 0 ? nullptr : PyLong_FromLong(number);
}

PyObject* library_add(PyObject*, PyObject* arguments) {
  PyObject *data, *outside, *buffers;
  if (!PyArg_ParseTuple(arguments, "OOO:_library_add", &data, &outside, &buffers)) return nullptr;
  const TransferKind kind(Transfer::copy);
  EncodedRef made(gather(data, buffers, outside));
  if (!made) return nullptr;
  long number = reserve();
  if (number < 0) return nullptr;
  // Release: pairs with library_get.
  find(uint32_t(number))->store(made.release(), std::memory_order_release);
  return PyLong_FromLong(number);
}

PyObject* library_fill(PyObject*, PyObject* arguments) {
  PyObject *number, *data, *outside, *buffers;
  if (!PyArg_ParseTuple(arguments, "OOOO:_library_fill", &number, &data, &outside, &buffers)) return nullptr;
  Entry* entry = entry_of(number);
  const TransferKind kind(Transfer::copy);
  EncodedRef made(entry ? gather(data, buffers, outside) : nullptr);
  if (!made) return nullptr;
  Encoded* none = nullptr;
  if (!entry->compare_exchange_strong(none, made.get(), std::memory_order_release, std::memory_order_relaxed)) {
    PyErr_Format(PyExc_ValueError, "class definition number %ld has been filled in before", PyLong_AsLong(number));
    return nullptr;
  }
  (void)made.release();
  Py_RETURN_NONE;
}

PyObject* library_get(PyObject*, PyObject* number) {
  Entry* entry = entry_of(number);
  if (!entry) return nullptr;
  Encoded* found = entry->load(std::memory_order_acquire);
  if (!found) {
    PyErr_Format(PyExc_LookupError, "class definition number %ld has not been filled in yet", PyLong_AsLong(number));
    return nullptr;
  }
  const TransferKind kind(Transfer::copy);
  Parts parts;
  if (spread(*found, buffer_object, &parts) < 0) return nullptr;
  return PyTuple_Pack(3, parts.data.get(), parts.buffers.get(), parts.outside.get());
}

}  // namespace

PyMethodDef library_methods[] = {
    {"_library_add", library_add, METH_VARARGS, nullptr},
    {"_library_reserve", library_reserve, METH_NOARGS, nullptr},
    {"_library_fill", library_fill, METH_VARARGS, nullptr},
    {"_library_get", library_get, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace boc::py
