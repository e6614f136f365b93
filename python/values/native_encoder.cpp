#include "native_encoder.h"

#include <cstdlib>
#include <new>

#include "immutable.h"
#include "movable.h"
#include "xidata.h"

namespace boc::py {

using namespace wire;

namespace {

// Deeper structures are pickled. The stack of a fiber is small, and a chain that is nested so deep is rare.
constexpr int kMaxDepth = 100;
// Strings from this length on are looked up in the table of shared objects, where no other pushes them out.
constexpr Py_ssize_t kLongString = 256;

// Whether `o` may occur in the value more than once: not if the one place that led here is the only one. Counts of
// free-threaded builds do not tell.
inline bool may_recur(PyObject* o) noexcept {
#ifdef Py_GIL_DISABLED
  (void)o;
  return true;
#else
  return Py_REFCNT(o) > 1;
#endif
}

size_t int_bytes(PyObject* o) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  return size_t(PyLong_AsNativeBytes(o, nullptr, 0, Py_ASNATIVEBYTES_LITTLE_ENDIAN));
#else
  return _PyLong_NumBits(o) / 8 + 1;
#endif
}

void int_to_bytes(PyObject* o, uint8_t* p, size_t n) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  (void)PyLong_AsNativeBytes(o, p, Py_ssize_t(n), Py_ASNATIVEBYTES_LITTLE_ENDIAN);
#else
  (void)_PyLong_AsByteArray(reinterpret_cast<PyLongObject*>(o), p, n, 1, 1);
#endif
}

uint8_t string_tag(PyObject* o) noexcept {
  switch (PyUnicode_KIND(o)) {
    case PyUnicode_1BYTE_KIND:
      return PyUnicode_IS_ASCII(o) ? kAscii : kLatin1;
    case PyUnicode_2BYTE_KIND:
      return kUcs2;
    default:
      return kUcs4;
  }
}

}  // namespace

Buffer copy_byte_array(PyObject* o) {
  Buffer copied;
  // No exception may leave a critical section.
  BOC_BEGIN_CRITICAL_SECTION(o);
  copied.size = size_t(PyByteArray_GET_SIZE(o));
  copied.readonly = false;
  copied.memory = std::malloc(copied.size + 1);
  if (copied.memory) {
    std::memcpy(copied.memory, PyByteArray_AS_STRING(o), copied.size);
    static_cast<char*>(copied.memory)[copied.size] = 0;
  }
  BOC_END_CRITICAL_SECTION();
  if (!copied.memory) throw std::bad_alloc();
  return copied;
}

// What is read in place of container `o`.
PyObject* NativeEncoder::steady(PyObject* o, [[maybe_unused]] PyObject* (*copy)(PyObject*)) {
#ifdef Py_GIL_DISABLED
  Ref copied(copy(o));
  if (!copied) {
    failed_ = true;
    return nullptr;
  }
  copies_.push_back(std::move(copied));
  return copies_.back().get();
#else
  return o;
#endif
}

bool NativeEncoder::put_head(uint8_t tag, size_t size) {
  if (!out_.reserve(1 + kMaxSize)) return no_memory();
  *out_.next = tag;
  out_.next = store_size(out_.next + 1, size);
  return true;
}

bool NativeEncoder::put_number(uint8_t tag, size_t number) {
  if (!out_.reserve(1 + sizeof(uint32_t))) return no_memory();
  *out_.next = tag;
  out_.next = store(out_.next + 1, uint32_t(number));
  return true;
}

bool NativeEncoder::put_int(PyObject* o) {
  if (!out_.reserve(1 + sizeof(int64_t))) return no_memory();
  uint8_t* p = out_.next;
  long long value;
  if (one_digit(o, &value)) {
    if (value >= kSmallest && value <= kLargest) {
      *p++ = uint8_t(kSmallInt + (value - kSmallest));
    } else {
      *p = kInt32;
      p = store(p + 1, int32_t(value));
    }
    out_.next = p;
    return true;
  }
  int overflow;
  value = PyLong_AsLongLongAndOverflow(o, &overflow);
  if (!overflow) {
    *p = kInt64;
    out_.next = store(p + 1, int64_t(value));
    return true;
  }
  size_t n = int_bytes(o);
  if (!put_head(kIntBig, n)) return false;
  if (!out_.reserve(n)) return no_memory();
  int_to_bytes(o, out_.next, n);
  out_.next += n;
  return true;
}

bool NativeEncoder::put_string(PyObject* o) {
#if PY_VERSION_HEX < 0x030C0000
  if (PyUnicode_READY(o) < 0) return fail();
#endif
  size_t characters = size_t(PyUnicode_GET_LENGTH(o));
  size_t bytes = characters * size_t(PyUnicode_KIND(o));
  if (!out_.reserve(1 + kMaxSize + bytes)) return no_memory();
  uint8_t* p = out_.next;
  *p = string_tag(o);
  p = store_size(p + 1, characters);
  std::memcpy(p, PyUnicode_DATA(o), bytes);
  out_.next = p + bytes;
  return true;
}

bool NativeEncoder::put_named(PyObject* o) {
  if (PyUnicode_GET_LENGTH(o) >= kLongString) {
    int met = may_recur(o) ? meet(o, false) : 0;
    return met ? met > 0 : put_string(o);
  }
  if (!out_.reserve(2)) return no_memory();
  size_t slot = (reinterpret_cast<uintptr_t>(o) >> 4 ^ reinterpret_cast<uintptr_t>(o) >> 10) % kSlots;
  uint8_t* p = out_.next;
  out_.next = p + 2;
  p[1] = uint8_t(slot);
  uint64_t bit = uint64_t(1) << slot;
  if ((named_ & bit) && names_[slot] == o) {
    p[0] = kNamedAgain;
    return true;
  }
  p[0] = kNamed;
  names_[slot] = o;
  named_ |= bit;
  return put_string(o);
}

bool NativeEncoder::put_beside(Buffer buffer) {
  out_.add_buffer(buffer);
  return put_number(kBytesBeside, out_.buffers.size() - 1);
}

bool NativeEncoder::put_bytes(PyObject* o) {
  size_t n = size_t(PyBytes_GET_SIZE(o));
  if (n >= size_t(kMovableSize)) {
    int met = may_recur(o) ? meet(o, false) : 0;
    return met ? met > 0 : put_beside(Buffer::copy(PyBytes_AS_STRING(o), n, true));
  }
  if (!out_.reserve(1 + kMaxSize + n)) return no_memory();
  uint8_t* p = out_.next;
  *p = kBytes;
  p = store_size(p + 1, n);
  std::memcpy(p, PyBytes_AS_STRING(o), n);
  out_.next = p + n;
  return true;
}

bool NativeEncoder::put_byte_array(PyObject* o) {
  if (int met = may_recur(o) ? meet(o, false) : 0; met) return met > 0;
  if (PyByteArray_GET_SIZE(o) >= kMovableSize) return put_beside(copy_byte_array(o));
  bool good;
  BOC_BEGIN_CRITICAL_SECTION(o);
  size_t n = size_t(PyByteArray_GET_SIZE(o));
  good = out_.reserve(1 + kMaxSize + n);
  if (good) {
    *out_.next = kByteArray;
    uint8_t* p = store_size(out_.next + 1, n);
    std::memcpy(p, PyByteArray_AS_STRING(o), n);
    out_.next = p + n;
  }
  BOC_END_CRITICAL_SECTION();
  return good || no_memory();
}

int NativeEncoder::meet(PyObject* o, bool immutable) {
  bool fresh;
  Seen::Entry* entry = seen_.find(o, &fresh);
  if (fresh) {
    entry->open = immutable;
    return put_tag(kMark) ? 0 : -1;
  }
  // A tuple inside itself: only pickle knows how to build that.
  if (entry->open) return -1;
  again_ = true;
  return put_number(kAgain, entry->number) ? 1 : -1;
}

bool NativeEncoder::put_ints(uint8_t tag, PyObject* const* items, size_t n) {
  if (!out_.reserve(1 + kMaxSize + n * sizeof(int32_t))) return no_memory();
  uint8_t* p = out_.next;
  *p = tag;
  p = store_size(p + 1, n);
  for (size_t i = 0; i < n; ++i) {
    long long value;
    if (Py_TYPE(items[i]) != &PyLong_Type || !one_digit(items[i], &value)) return false;
    p = store(p, int32_t(value));
  }
  out_.next = p;
  return true;
}

bool NativeEncoder::put_floats(uint8_t tag, PyObject* const* items, size_t n) {
  if (!out_.reserve(1 + kMaxSize + n * sizeof(double))) return no_memory();
  uint8_t* p = out_.next;
  *p = tag;
  p = store_size(p + 1, n);
  for (size_t i = 0; i < n; ++i) {
    if (Py_TYPE(items[i]) != &PyFloat_Type) return false;
    p = store(p, PyFloat_AS_DOUBLE(items[i]));
  }
  out_.next = p;
  return true;
}

bool NativeEncoder::put_sequence(uint8_t tag, PyObject* const* items, size_t n) {
  if (n >= 4) {
    // Many numbers of one kind: nothing is written if there is another item among them.
    PyTypeObject* type = Py_TYPE(items[0]);
    if (type == &PyLong_Type && put_ints(tag == kList ? kIntList : kIntTuple, items, n)) return true;
    if (type == &PyFloat_Type && put_floats(tag == kList ? kFloatList : kFloatTuple, items, n)) return true;
    if (failed_) return false;
  }
  if (!put_head(tag, n)) return false;
  for (size_t i = 0; i < n; ++i) {
    if (!put(items[i])) return false;
  }
  return true;
}

bool NativeEncoder::put_dict(PyObject* o) {
  PyObject* dict = steady(o, PyDict_Copy);
  if (!dict || !put_head(kDict, size_t(PyDict_GET_SIZE(dict)))) return false;
  PyObject *key, *item;
  Py_ssize_t position = 0;
  while (PyDict_Next(dict, &position, &key, &item)) {
    if (!put(key) || !put(item)) return false;
  }
  return true;
}

bool NativeEncoder::put_set(PyObject* o, uint8_t tag) {
  PyObject* set = tag == kSet ? steady(o, PySet_New) : o;
  if (!set || !put_head(tag, size_t(PySet_GET_SIZE(set)))) return false;
  Ref iterator(PyObject_GetIter(set));
  if (!iterator) return fail();
  while (Ref item{PyIter_Next(iterator.get())}) {
    if (!put(item.get())) return false;
  }
  return PyErr_Occurred() ? fail() : true;
}

bool NativeEncoder::put_slice(PyObject* o) {
  auto* slice = reinterpret_cast<PySliceObject*>(o);
  return put_tag(kSlice) && put(slice->start) && put(slice->stop) && put(slice->step);
}

bool NativeEncoder::put_range(PyObject* o) {
  if (!put_tag(kRange)) return false;
  for (const char* name : {"start", "stop", "step"}) {
    Ref number(PyObject_GetAttrString(o, name));
    if (!number) return fail();
    if (!put_int(number.get())) return false;
  }
  return true;
}

bool NativeEncoder::put_cown(PyObject* o) {
  Payload* payload = payload_of_cown(o);
  keep_payload(payload);
  out_.add_outside({payload, nullptr, {}});
  return put_number(kCown, out_.outside.size() - 1);
}

bool NativeEncoder::put_matrix(PyObject* o) {
  if (int met = may_recur(o) ? meet(o, false) : 0; met) return met > 0;
  if (matrix_bytes(o) > most_) return false;
  MatrixShare share = share_matrix(o, current_transfer() == Transfer::move);
  if (!share.doubles) throw std::bad_alloc();
  out_.add_outside({nullptr, nullptr, share});
  return put_number(kMatrix, out_.outside.size() - 1);
}

bool NativeEncoder::put_items(PyObject* o, PyTypeObject* type) {
  if (type == &PyList_Type) {
    PyObject* list = steady(o, [](PyObject* it) { return PyList_GetSlice(it, 0, PY_SSIZE_T_MAX); });
    return list && put_sequence(kList, PySequence_Fast_ITEMS(list), size_t(PyList_GET_SIZE(list)));
  }
  if (type == &PyTuple_Type) return put_sequence(kTuple, PySequence_Fast_ITEMS(o), size_t(PyTuple_GET_SIZE(o)));
  if (type == &PyDict_Type) return put_dict(o);
  if (type == &PySlice_Type) return put_slice(o);
  return put_set(o, type == &PySet_Type ? kSet : kFrozenSet);
}

bool NativeEncoder::put_container(PyObject* o, PyTypeObject* type) {
  bool immutable = type == &PyTuple_Type || type == &PyFrozenSet_Type || type == &PySlice_Type;
  // The empty tuple is everywhere, and one.
  bool shared = may_recur(o) && !(type == &PyTuple_Type && PyTuple_GET_SIZE(o) == 0);
  if (shared) {
    if (int met = meet(o, immutable); met) return met > 0;
  }
  if (depth_ == kMaxDepth) return false;
  ++depth_;
  bool good = put_items(o, type);
  --depth_;
  if (good && shared && immutable) close(o);
  return good;
}

bool NativeEncoder::put_rest(PyObject* o, PyTypeObject* type) {
  if (type == &PyFrozenSet_Type || type == &PySlice_Type) return put_container(o, type);
  if (type == &PyByteArray_Type) return put_byte_array(o);
  if (type == &PyComplex_Type) {
    if (!out_.reserve(1 + sizeof(Py_complex))) return no_memory();
    *out_.next = kComplex;
    out_.next = store(out_.next + 1, reinterpret_cast<PyComplexObject*>(o)->cval);
    return true;
  }
  if (type == &PyRange_Type) return put_range(o);
  if (o == Py_Ellipsis) return put_tag(kEllipsis);
  if (o == Py_NotImplemented) return put_tag(kNotImplemented);
  if (is_matrix(o)) return put_matrix(o);
  return is_cown(o) && put_cown(o);
}

bool NativeEncoder::put(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  if (type == &PyLong_Type) return put_int(o);
  if (type == &PyUnicode_Type) return depth_ ? put_named(o) : put_string(o);
  if (o == Py_None) return put_tag(kNone);
  if (type == &PyFloat_Type) {
    if (!out_.reserve(1 + sizeof(double))) return no_memory();
    *out_.next = kFloat;
    out_.next = store(out_.next + 1, PyFloat_AS_DOUBLE(o));
    return true;
  }
  if (type == &PyBool_Type) return put_tag(o == Py_True ? kTrue : kFalse);
  if (type == &PyList_Type || type == &PyDict_Type || type == &PyTuple_Type || type == &PySet_Type) {
    return put_container(o, type);
  }
  if (type == &PyBytes_Type) return put_bytes(o);
  return put_rest(o, type);
}

}  // namespace boc::py
