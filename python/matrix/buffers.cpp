// The buffer protocol, both ways: others see a matrix's memory; from_buffer() copies theirs.
#include <cstdint>
#include <cstring>

#include "arguments.h"
#include "methods.h"

namespace boc::py {
namespace {

// What a Py_buffer's shape and strides point to.
struct Layout {
  Py_ssize_t shape[2];
  Py_ssize_t strides[2];
};

char double_format[] = "d";

template <typename T>
double as_double(const char* p) noexcept {
  T value;
  std::memcpy(&value, p, sizeof value);
  return static_cast<double>(value);
}

using Reader = double (*)(const char*) noexcept;

Reader integer_reader(bool is_signed, Py_ssize_t size) noexcept {
  switch (size) {
    case 1:
      return is_signed ? as_double<int8_t> : as_double<uint8_t>;
    case 2:
      return is_signed ? as_double<int16_t> : as_double<uint16_t>;
    case 4:
      return is_signed ? as_double<int32_t> : as_double<uint32_t>;
    case 8:
      return is_signed ? as_double<int64_t> : as_double<uint64_t>;
    default:
      return nullptr;
  }
}

// Null for formats that are no plain numbers of this machine.
Reader reader_for(const char* format, Py_ssize_t size) noexcept {
  if (!format) return as_double<uint8_t>;
  const bool little = PY_LITTLE_ENDIAN;
  if (*format == '@' || *format == '=' || *format == (little ? '<' : '>') || (*format == '!' && !little)) ++format;
  if (!*format || format[1]) return nullptr;
  switch (*format) {
    case 'd':
    case 'f':
      return size == sizeof(double) ? as_double<double> : size == sizeof(float) ? as_double<float> : nullptr;
    case '?':
      return size == 1 ? as_double<uint8_t> : nullptr;
    default:
      if (std::strchr("bhilqn", *format)) return integer_reader(true, size);
      return std::strchr("BHILQN", *format) ? integer_reader(false, size) : nullptr;
  }
}

void read_all(const Py_buffer& buffer, Reader read, Py_ssize_t rows, Py_ssize_t columns, double* to) noexcept {
  const Py_ssize_t column_step = buffer.strides[buffer.ndim - 1];
  const Py_ssize_t row_step = buffer.ndim == 2 ? buffer.strides[0] : 0;
  const auto* base = static_cast<const char*>(buffer.buf);
  for (Py_ssize_t i = 0; i < rows; ++i) {
    for (Py_ssize_t j = 0; j < columns; ++j) *to++ = read(base + i * row_step + j * column_step);
  }
}

PyObject* from_view_of(const Py_buffer& buffer) {
  const Reader read = reader_for(buffer.format, buffer.itemsize);
  if (!read) {
    PyErr_Format(PyExc_ValueError,
                 "from_buffer() takes numbers in this machine's order (float64, float32, integers, bool), not format "
                 "'%.50s'",
                 buffer.format);
    return nullptr;
  }
  if (buffer.ndim != 1 && buffer.ndim != 2) {
    PyErr_Format(PyExc_ValueError, "from_buffer() takes one or two dimensions, not %d", buffer.ndim);
    return nullptr;
  }
  const Py_ssize_t rows = buffer.ndim == 2 ? buffer.shape[0] : 1, columns = buffer.shape[buffer.ndim - 1];
  Ref made(new_matrix(rows, columns));
  if (!made) return nullptr;
  double* to = as_matrix(made.get())->doubles->data();
  Unlocked unlocked(static_cast<double>(rows) * static_cast<double>(columns));
  read_all(buffer, read, rows, columns, to);
  return made.release();
}

PyObject* from_buffer(PyObject*, PyObject* exporter) {
  Py_buffer buffer;
  if (PyObject_GetBuffer(exporter, &buffer, PyBUF_STRIDED_RO | PyBUF_FORMAT) < 0) return nullptr;
  PyObject* made = from_view_of(buffer);
  PyBuffer_Release(&buffer);
  return made;
}

PyObject* as_array(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"__array__", 0, 2, 0, 2, {"dtype", "copy"}};
  PyObject* given[2];
  if (!take_arguments(kSignature, args, n, kw, given)) return nullptr;
  Ref numpy(PyImport_ImportModule("numpy"));
  Ref array(numpy ? PyObject_GetAttrString(numpy.get(), given[1] == Py_True ? "array" : "asarray") : nullptr);
  Ref memory(array ? PyMemoryView_FromObject(self) : nullptr);
  if (!memory) return nullptr;
  return PyObject_CallFunctionObjArgs(array.get(), memory.get(), given[0] ? given[0] : Py_None, nullptr);
}

}  // namespace

int matrix_get_buffer(PyObject* self, Py_buffer* buffer, int flags) {
  MatrixObject* m = as_matrix(self);
  // Counted first: from now on it is not transposed in place, nor handed over without a copy.
  m->exports.fetch_add(1, std::memory_order_acq_rel);
  const Block b = block_of(m);
  auto* layout = static_cast<Layout*>(PyMem_Malloc(sizeof(Layout)));
  const bool by_columns = (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && b.rows > 1 && b.columns > 1;
  if (!layout || by_columns) {
    m->exports.fetch_sub(1, std::memory_order_release);
    PyMem_Free(layout);
    buffer->obj = nullptr;
    if (by_columns) {
      PyErr_SetString(PyExc_BufferError, "a Matrix lies row by row (C order), not column by column");
    } else {
      PyErr_NoMemory();
    }
    return -1;
  }
  const auto item = static_cast<Py_ssize_t>(sizeof(double));
  *layout = {{b.rows, b.columns}, {b.columns * item, item}};
  const bool shaped = (flags & PyBUF_ND) == PyBUF_ND;
  buffer->buf = b.at;
  buffer->obj = Py_NewRef(self);
  buffer->len = b.size() * item;
  buffer->readonly = 0;
  buffer->itemsize = item;
  buffer->format = (flags & PyBUF_FORMAT) ? double_format : nullptr;
  buffer->ndim = shaped ? 2 : 1;
  buffer->shape = shaped ? layout->shape : nullptr;
  buffer->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? layout->strides : nullptr;
  buffer->suboffsets = nullptr;
  buffer->internal = layout;
  return 0;
}

void matrix_release_buffer(PyObject* self, Py_buffer* buffer) {
  PyMem_Free(buffer->internal);
  // Release: pairs with the acquire in share_matrix().
  as_matrix(self)->exports.fetch_sub(1, std::memory_order_release);
}

PyMethodDef buffer_methods[] = {
    {"from_buffer", from_buffer, METH_O | METH_CLASS,
     "from_buffer($type, exporter, /)\n--\n\nA matrix with a copy of the numbers of an array of one dimension (a row) "
     "or "
     "two."},
    {"__array__", BOC_FAST(as_array),
     "__array__($self, /, dtype=None, copy=None)\n--\n\nA numpy array, around the same memory if possible."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
