#include "decoder.h"

#include <cassert>
#include <memory>
#include <new>

#include "atom.h"
#include "carry_bridge.h"
#include "movable.h"
#include "wire.h"
#include "xidata.h"

#if defined(__GNUC__) && PY_VERSION_HEX >= 0x030D0000
#define BOC_SIZED_DICTS 1
// Exported, not in the public headers. Weak: where it is missing dicts grow as they are filled.
extern "C" __attribute__((weak)) PyObject* _PyDict_FromItems(PyObject* const*, Py_ssize_t, PyObject* const*, Py_ssize_t,
                                                             Py_ssize_t);
#else
#define BOC_SIZED_DICTS 0
#endif

namespace boc::py {

using namespace wire;

namespace {

// What take() gives in place of a copy: the object itself, with a reference for the receiver beside the one that the
// Encoded is. settle() or take_back() ends that.
PyObject* lend(const Buffer& buffer) noexcept {
  return buffer.kind == Buffer::Kind::bytes ? Py_NewRef(static_cast<PyObject*>(buffer.memory)) : buffer_object(buffer);
}

}  // namespace

// Reads one native stream.
class Decoder {
 public:
  explicit Decoder(const Encoded& encoded, bool last) noexcept : encoded_(encoded), p_(encoded.bytes()), last_(last) {}

  PyObject* value();
  static void settle(Encoded& encoded) noexcept;
  static PyObject* buffer_alone(Encoded& encoded) noexcept;
  static void take_back(Encoded& encoded) noexcept;

 private:
  PyObject* get();
  PyObject* string(Py_UCS4 largest, int kind) {
    size_t characters = load_size(p_);
    const uint8_t* data = p_;
    p_ += characters * size_t(kind);
    return new_string(data, characters, largest, kind);
  }
  PyObject* named();
  PyObject* big_int();
  PyObject* complex_number();
  PyObject* bytes(bool array);
  PyObject* beside();
  PyObject* list();
  PyObject* tuple();
  PyObject* numbers(uint8_t tag);
  PyObject* dict();
#if BOC_SIZED_DICTS
  PyObject* sized_dict(size_t n);
#endif
  PyObject* set(bool frozen);
  PyObject* slice_or_range(bool slice);
  PyObject* marked();
  // A container that has no items yet: what is inside may refer to it.
  PyObject* born(PyObject* o) noexcept {
    if (mark_) *mark_ = o;
    mark_ = nullptr;
    return o;
  }

  const Encoded& encoded_;
  const uint8_t* p_;
  bool last_;
  uint32_t met_ = 0;
  PyObject** mark_ = nullptr;   // where the next container puts itself
  PyObject** marks_ = nullptr;  // borrowed, as names_: everything made is in the value that is being made
  PyObject* few_[16];
  PyObject* names_[kSlots];
};

PyObject* Decoder::named() {
  uint8_t slot = *p_++;
  PyObject* made = get();
  names_[slot] = made;
  return made;
}

PyObject* Decoder::big_int() {
  size_t n = load_size(p_);
  const uint8_t* data = p_;
  p_ += n;
#if PY_VERSION_HEX >= 0x030D0000
  return PyLong_FromNativeBytes(data, n, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
#else
  return _PyLong_FromByteArray(data, n, 1, 1);
#endif
}

PyObject* Decoder::complex_number() {
  auto value = load<Py_complex>(p_);
  return PyComplex_FromCComplex(value);
}

PyObject* Decoder::bytes(bool array) {
  size_t n = load_size(p_);
  auto* data = reinterpret_cast<const char*>(p_);
  p_ += n;
  return array ? PyByteArray_FromStringAndSize(data, Py_ssize_t(n)) : PyBytes_FromStringAndSize(data, Py_ssize_t(n));
}

PyObject* Decoder::beside() {
  const Buffer& buffer = encoded_.buffers()[load<uint32_t>(p_)];
  return last_ ? lend(buffer) : buffer_object(buffer);
}

PyObject* Decoder::list() {
  auto n = Py_ssize_t(load_size(p_));
  PyObject* made = born(PyList_New(n));
  for (Py_ssize_t i = 0; made && i < n; ++i) {
    PyObject* item = get();
    if (item) {
      PyList_SET_ITEM(made, i, item);
    } else {
      Py_CLEAR(made);
    }
  }
  return made;
}

PyObject* Decoder::tuple() {
  auto n = Py_ssize_t(load_size(p_));
  PyObject* made = PyTuple_New(n);
  for (Py_ssize_t i = 0; made && i < n; ++i) {
    PyObject* item = get();
    if (item) {
      PyTuple_SET_ITEM(made, i, item);
    } else {
      Py_CLEAR(made);
    }
  }
  return made;
}

PyObject* Decoder::numbers(uint8_t tag) {
  size_t n = load_size(p_);
  bool is_list = tag == kIntList || tag == kFloatList;
  PyObject* made = is_list ? born(PyList_New(Py_ssize_t(n))) : PyTuple_New(Py_ssize_t(n));
  if (!made) return nullptr;
  PyObject** items = PySequence_Fast_ITEMS(made);
  const uint8_t* p = p_;
  bool ints = tag == kIntList || tag == kIntTuple;
  for (size_t i = 0; i < n; ++i) {
    PyObject* item = ints ? PyLong_FromLong(load<int32_t>(p)) : PyFloat_FromDouble(load<double>(p));
    if (!item) {
      Py_DECREF(made);
      return nullptr;
    }
    items[i] = item;
  }
  p_ = p;
  return made;
}

#if BOC_SIZED_DICTS
// A dict made at its final size: growing it costs a tenth.
PyObject* Decoder::sized_dict(size_t n) {
  constexpr size_t kFew = 16;  // a fiber has little stack, and dicts lie in dicts
  PyObject* few[2 * kFew];
  std::unique_ptr<PyObject*[]> many;
  PyObject** items = few;
  if (n > kFew) {
    many.reset(new (std::nothrow) PyObject*[2 * n]);
    if (!many) return PyErr_NoMemory();
    items = many.get();
  }
  size_t done = 0;
  while (done < 2 * n && (items[done] = get())) ++done;
  PyObject* made = done == 2 * n ? _PyDict_FromItems(items, 2, items + 1, 2, Py_ssize_t(n)) : nullptr;
  while (done > 0) Py_DECREF(items[--done]);
  return made;
}
#endif

PyObject* Decoder::dict() {
  size_t n = load_size(p_);
#if BOC_SIZED_DICTS
  if (n > 5 && !mark_ && &_PyDict_FromItems) return sized_dict(n);
#endif
  PyObject* made = born(PyDict_New());
  for (size_t i = 0; made && i < n; ++i) {
    PyObject* key = get();
    PyObject* item = key ? get() : nullptr;
    if (!item || PyDict_SetItem(made, key, item) < 0) Py_CLEAR(made);
    Py_XDECREF(key);
    Py_XDECREF(item);
  }
  return made;
}

PyObject* Decoder::set(bool frozen) {
  size_t n = load_size(p_);
  PyObject* made = frozen ? PyFrozenSet_New(nullptr) : born(PySet_New(nullptr));
  for (size_t i = 0; made && i < n; ++i) {
    PyObject* item = get();
    if (!item || PySet_Add(made, item) < 0) Py_CLEAR(made);
    Py_XDECREF(item);
  }
  return made;
}

PyObject* Decoder::slice_or_range(bool slice) {
  Ref start(get());
  Ref stop(start ? get() : nullptr);
  Ref step(stop ? get() : nullptr);
  if (!step) return nullptr;
  if (slice) return PySlice_New(start.get(), stop.get(), step.get());
  return PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(&PyRange_Type), start.get(), stop.get(), step.get(),
                                      nullptr);
}

PyObject* Decoder::marked() {
  if (!encoded_.marks()) return get();
  PyObject** place = marks_ + met_++;
  uint8_t tag = *p_;
  bool mutable_container = tag == kList || tag == kDict || tag == kSet || tag == kIntList || tag == kFloatList;
  if (mutable_container) mark_ = place;
  PyObject* made = get();
  *place = made;
  return made;
}

PyObject* Decoder::get() {
  uint8_t tag = *p_++;
  if (tag >= kSmallInt) return PyLong_FromLong(long(tag - kSmallInt + kSmallest));
  switch (tag) {
    case kNone:
      return Py_NewRef(Py_None);
    case kTrue:
      return Py_NewRef(Py_True);
    case kFalse:
      return Py_NewRef(Py_False);
    case kEllipsis:
      return Py_NewRef(Py_Ellipsis);
    case kNotImplemented:
      return Py_NewRef(Py_NotImplemented);
    case kInt32:
      return PyLong_FromLong(load<int32_t>(p_));
    case kInt64:
      return PyLong_FromLongLong(load<int64_t>(p_));
    case kIntBig:
      return big_int();
    case kFloat:
      return PyFloat_FromDouble(load<double>(p_));
    case kComplex:
      return complex_number();
    case kAscii:
      return string(0x7F, 1);
    case kLatin1:
      return string(0xFF, 1);
    case kUcs2:
      return string(0xFFFF, 2);
    case kUcs4:
      return string(0x10FFFF, 4);
    case kNamed:
      return named();
    case kNamedAgain:
      return Py_NewRef(names_[*p_++]);
    case kBytes:
    case kByteArray:
      return bytes(tag == kByteArray);
    case kBytesBeside:
      return beside();
    case kTuple:
      return tuple();
    case kList:
      return list();
    case kSet:
    case kFrozenSet:
      return set(tag == kFrozenSet);
    case kDict:
      return dict();
    case kSlice:
    case kRange:
      return slice_or_range(tag == kSlice);
    case kMark:
      return marked();
    case kAgain:
      return Py_NewRef(marks_[load<uint32_t>(p_)]);
    case kCown:
      return wrap_kept_payload(encoded_.outside()[load<uint32_t>(p_)].cown);
    case kMatrix:
      return matrix_around(encoded_.outside()[load<uint32_t>(p_)].matrix, current_transfer() == Transfer::move);
    default:
      return numbers(tag);
  }
}

PyObject* Decoder::value() {
  std::unique_ptr<PyObject*[]> many;
  marks_ = few_;
  if (encoded_.marks() > std::size(few_)) {
    many.reset(new (std::nothrow) PyObject*[encoded_.marks()]);
    if (!many) return PyErr_NoMemory();
    marks_ = many.get();
  }
  PyObject* made = get();
  assert(!made || p_ == encoded_.bytes() + encoded_.size());
  return made;
}

void Decoder::settle(Encoded& encoded) noexcept {
  for (Buffer& buffer : encoded.buffers_) {
    if (buffer.kind != Buffer::Kind::bytes) continue;
    // The receiver has a reference, or has already done with the object: then this frees it, here where it is at home.
    Py_DECREF(static_cast<PyObject*>(buffer.memory));
    buffer = Buffer();
  }
}

// After a failure. A traceback, or garbage in a cycle, may still refer to an object that was lent: this interpreter
// keeps it then, and a copy takes its place.
void Decoder::take_back(Encoded& encoded) noexcept {
  for (Buffer& buffer : encoded.buffers_) {
    if (buffer.kind != Buffer::Kind::bytes || Py_REFCNT(static_cast<PyObject*>(buffer.memory)) == 1) continue;
    try {
      Buffer copied = Buffer::copy(buffer.data(), buffer.size, true);
      Py_DECREF(static_cast<PyObject*>(buffer.memory));
      buffer = copied;
    } catch (const std::bad_alloc&) {
      buffer.kind = Buffer::Kind::stuck;
    }
  }
}

PyObject* Decoder::buffer_alone(Encoded& encoded) noexcept {
  Buffer& buffer = encoded.buffers_[0];
  if (buffer.kind == Buffer::Kind::bytes) {
    PyObject* moved = static_cast<PyObject*>(buffer.memory);
    buffer = Buffer();
    return moved;
  }
  if (!buffer.readonly) {
    PyObject* moved = bytearray_around(static_cast<char*>(buffer.memory), buffer.size);
    if (moved) buffer = Buffer();
    if (moved || PyErr_Occurred()) return moved;
  }
  return buffer_object(buffer);
}

PyObject* buffer_object(const Buffer& buffer) noexcept {
  auto size = Py_ssize_t(buffer.size);
  return buffer.readonly ? PyBytes_FromStringAndSize(buffer.data(), size)
                         : PyByteArray_FromStringAndSize(buffer.data(), size);
}

namespace {

PyObject* decode_anyhow(const Encoded& encoded) {
  switch (encoded.format()) {
    case Encoded::Format::buffer:
      return buffer_object(encoded.buffers()[0]);
    case Encoded::Format::pickle:
      return unpack(encoded, buffer_object);
    default:
      return Decoder(encoded, false).value();
  }
}

}  // namespace

PyObject* decode(const Encoded& encoded) {
  const TransferKind kind(Transfer::copy);
  return decode_anyhow(encoded);
}

PyObject* decode_last(const Encoded& encoded) {
  const TransferKind kind(Transfer::move);
  return decode_anyhow(encoded);
}

PyObject* take(EncodedRef& encoded) {
  // Nobody can get hold of an Encoded without somebody's reference: what is unique stays so.
  bool last = encoded->unique();
  PyObject* made;
  if (!last) {
    made = decode(*encoded);
  } else if (encoded->format() == Encoded::Format::buffer) {
    made = Decoder::buffer_alone(*encoded);
  } else {
    const TransferKind kind(Transfer::move);
    made = encoded->format() == Encoded::Format::pickle ? unpack(*encoded, lend) : Decoder(*encoded, true).value();
    if (made) {
      Decoder::settle(*encoded);
    } else {
      // Its error is not ours to lose: making the copies sets and clears others.
      PyObject* error = take_exception();
      Decoder::take_back(*encoded);
      raise_exception(error);
    }
  }
  if (made) encoded = EncodedRef();
  return made;
}

}  // namespace boc::py
