#include "carry_bridge.h"

#include <cstring>
#include <new>

#include "decoder.h"
#include "immutable.h"
#include "py_errors.h"
#include "xidata.h"

namespace boc::py {
namespace {

constexpr const char* kCarry = "bocpy._carry";
constexpr const char* kLoad = "bocpy._carry_load";

class View {
 public:
  // Contiguous, as pickle's out-of-band buffers are by its protocol.
  explicit View(PyObject* o) : good_(PyObject_GetBuffer(o, &view_, PyBUF_ANY_CONTIGUOUS) == 0) {}
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View() {
    if (good_) PyBuffer_Release(&view_);
  }
  explicit operator bool() const noexcept { return good_; }
  Buffer copy() const { return Buffer::copy(view_.buf, size_t(view_.len), view_.readonly != 0); }

 private:
  Py_buffer view_;
  bool good_;
};

int gather_buffers(PyObject* buffers, EncodedBuilder& out) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(buffers); ++i) {
    // Held: what a buffer's exporter does may be Python code.
    Ref item(Py_NewRef(PyList_GET_ITEM(buffers, i)));
    View view(item.get());
    if (!view) return -1;
    out.add_buffer(view.copy());
  }
  return 0;
}

// What has been given up already belongs to the caller again: a type that has one owner finds it here.
void take_back(const std::vector<Outside>& given) {
  if (current_transfer() != Transfer::move) return;
  PyObject* raised = take_exception();
  for (const Outside& entry : given) {
    if (entry.shared) Py_XDECREF(xi_rebuild(entry.shared));
    PyErr_Clear();
  }
  raise_exception(raised);
}

int gather_outside(PyObject* outside, EncodedBuilder& out) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(outside); ++i) {
    Ref item(Py_NewRef(PyList_GET_ITEM(outside, i)));
    Outside entry;
    if (is_cown(item.get())) {
      entry.cown = payload_of_cown(item.get());
      keep_payload(entry.cown);
    } else if (is_matrix(item.get())) {
      entry.matrix = share_matrix(item.get(), current_transfer() == Transfer::move);
      if (!entry.matrix.doubles) throw std::bad_alloc();
    } else if (xi_share(item.get(), &entry.shared) < 0) {
      take_back(out.outside);
      return -1;
    }
    out.add_outside(entry);
  }
  return 0;
}

Encoded* gather_all(PyObject* data, PyObject* buffers, PyObject* outside) {
  EncodedBuilder out;
  auto size = size_t(PyBytes_GET_SIZE(data));
  if (gather_buffers(buffers, out) < 0 || gather_outside(outside, out) < 0) return nullptr;
  if (!out.reserve(size)) throw std::bad_alloc();
  std::memcpy(out.next, PyBytes_AS_STRING(data), size);
  out.next += size;
  Encoded* made = out.finish(Encoded::Format::pickle);
  if (!made) throw std::bad_alloc();
  return made;
}

PyObject* outside_object(const Outside& entry) {
  if (entry.matrix.doubles) return matrix_around(entry.matrix, current_transfer() == Transfer::move);
  return entry.cown ? wrap_kept_payload(entry.cown) : xi_rebuild(entry.shared);
}

template <typename T, typename F>
PyObject* list_of(const std::vector<T>& entries, F&& object_of) {
  Ref list(PyList_New(Py_ssize_t(entries.size())));
  if (!list) return nullptr;
  for (size_t i = 0; i < entries.size(); ++i) {
    PyObject* o = object_of(entries[i]);
    if (!o) return nullptr;
    PyList_SET_ITEM(list.get(), Py_ssize_t(i), o);
  }
  return list.release();
}

// The answer of one of _carry's packing functions: a tuple of `n`, the first three of which make an Encoded.
Encoded* packed(PyObject* answer, Py_ssize_t n) {
  if (!PyTuple_CheckExact(answer) || PyTuple_GET_SIZE(answer) != n) {
    PyErr_Format(PyExc_SystemError, "bocpy._carry gave back no tuple of %zd: its files are not of one version", n);
    return nullptr;
  }
  return gather(PyTuple_GET_ITEM(answer, 0), PyTuple_GET_ITEM(answer, 1), PyTuple_GET_ITEM(answer, 2));
}

Encoded* pack_with(const char* name, PyObject* o) {
  Ref function(module_attribute(kCarry, name));
  Ref answer(function ? PyObject_CallOneArg(function.get(), o) : nullptr);
  return answer ? packed(answer.get(), 3) : nullptr;
}

PyObject* unpack_with(const char* name, const Encoded& encoded, PyObject* (*object_of)(const Buffer&) noexcept) {
  Ref function(module_attribute(kLoad, name));
  Parts parts;
  if (!function || spread(encoded, object_of, &parts) < 0) return nullptr;
  PyObject* arguments[] = {nullptr, parts.data.get(), parts.buffers.get(), parts.outside.get()};
  return PyObject_Vectorcall(function.get(), arguments + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
}

}  // namespace

namespace {

PyObject* py_xi_supported(PyObject*, PyObject* thing) {
  return PyBool_FromLong(xi_supported(thing));
}

}  // namespace

PyMethodDef carry_methods[] = {{"_xi_supported", py_xi_supported, METH_O, nullptr}, {nullptr, nullptr, 0, nullptr}};

Encoded* gather(PyObject* data, PyObject* buffers, PyObject* outside) {
  if (!PyBytes_CheckExact(data) || !PyList_CheckExact(buffers) || !PyList_CheckExact(outside)) {
    PyErr_SetString(PyExc_TypeError, "packed data consists of a bytes, a list of buffers and a list of objects");
    return nullptr;
  }
  try {
    return gather_all(data, buffers, outside);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return nullptr;
  }
}

int spread(const Encoded& encoded, PyObject* (*object_of)(const Buffer&) noexcept, Parts* parts) {
  // A copy of the bytes, not a view of them: an unpickler's frame in a traceback may outlive the Encoded.
  parts->data =
      Ref(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(encoded.bytes()), Py_ssize_t(encoded.size())));
  if (parts->data) parts->buffers = Ref(list_of(encoded.buffers(), object_of));
  if (parts->buffers) parts->outside = Ref(list_of(encoded.outside(), outside_object));
  return parts->outside ? 0 : -1;
}

Encoded* pack(PyObject* value) {
  return pack_with("pack", value);
}

PyObject* unpack(const Encoded& encoded, PyObject* (*object_of)(const Buffer&) noexcept) {
  return unpack_with("unpack", encoded, object_of);
}

Encoded* pack_error(PyObject* exception) {
  const TransferKind kind(Transfer::copy);
  return pack_with("pack_error", exception);
}

int pack_function(PyObject* function, Encoded** out, PyObject** watches, bool* mutable_data) {
  const TransferKind kind(Transfer::copy);
  Ref packer(module_attribute(kCarry, "pack_function"));
  Ref answer(packer ? PyObject_CallOneArg(packer.get(), function) : nullptr);
  if (!answer) return -1;
  EncodedRef made(packed(answer.get(), 5));
  if (!made) return -1;
  PyObject* names = PyTuple_GET_ITEM(answer.get(), 3);
  int changes = PyObject_IsTrue(PyTuple_GET_ITEM(answer.get(), 4));
  if (changes < 0) return -1;
  if (!PyTuple_CheckExact(names)) {
    PyErr_SetString(PyExc_SystemError, "bocpy._carry.pack_function gave back no tuple of globals");
    return -1;
  }
  *out = made.release();
  *watches = Py_NewRef(names);
  *mutable_data = changes != 0;
  return 0;
}

PyObject* unpack_function(const Encoded& encoded) {
  const TransferKind kind(Transfer::copy);
  return unpack_with("unpack_function", encoded, buffer_object);
}

}  // namespace boc::py
