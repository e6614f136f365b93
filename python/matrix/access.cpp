// Properties of a matrix, its copies and its pickles.
#include <cmath>
#include <cstring>

#include "arguments.h"
#include "iterators.h"
#include "matrix_type.h"
#include "methods.h"
#include "reductions.h"
#include "view.h"

namespace boc::py {
namespace {

PyObject* get_rows(PyObject* self, void*) {
  return PyLong_FromSsize_t(block_of(self).rows);
}
PyObject* get_columns(PyObject* self, void*) {
  return PyLong_FromSsize_t(block_of(self).columns);
}
PyObject* get_size(PyObject* self, void*) {
  return PyLong_FromSsize_t(block_of(self).size());
}
PyObject* get_shape(PyObject* self, void*) {
  const Block b = block_of(self);
  return Py_BuildValue("(nn)", b.rows, b.columns);
}
PyObject* get_length(PyObject* self, void*) {
  const Block b = block_of(self);
  double sum = 0;
  for (Py_ssize_t i = 0; i < b.size(); ++i) sum += b.at[i] * b.at[i];
  return PyFloat_FromDouble(std::sqrt(sum));
}
// Programs written for the other library ask; here whoever has a matrix may use it.
PyObject* get_acquired(PyObject*, void*) {
  Py_RETURN_TRUE;
}

PyObject* values(PyObject* self, PyObject*) {
  return new_iterator(self, Each::values);
}
PyObject* copy(PyObject* self, PyObject*) {
  return copy_matrix(self);
}

PyObject* size_of(PyObject* self, PyObject*) {
  return PyLong_FromSsize_t(static_cast<Py_ssize_t>(sizeof(MatrixObject) + sizeof(Doubles)) + matrix_bytes(self));
}

// Protocol 5 may carry the memory beside the pickle.
PyObject* reduce_ex(PyObject* self, PyObject* protocol) {
  const long version = PyLong_AsLong(protocol);
  if (version == -1 && PyErr_Occurred()) return nullptr;
  const Block b = block_of(self);
  Ref module(PyImport_ImportModule("bocpy._bocpy"));
  Ref function(module ? PyObject_GetAttrString(module.get(), "_matrix_from_bytes") : nullptr);
  if (!function) return nullptr;
  Ref data(version >= 5 ? PyPickleBuffer_FromObject(self)
                        : PyBytes_FromStringAndSize(reinterpret_cast<const char*>(b.at), matrix_bytes(self)));
  return data ? Py_BuildValue("(O(nnO))", function.get(), b.rows, b.columns, data.get()) : nullptr;
}

PyObject* reduce(PyObject* self, PyObject*) {
  Ref version(PyLong_FromLong(2));
  return version ? reduce_ex(self, version.get()) : nullptr;
}

void* number(int i) noexcept {
  return reinterpret_cast<void*>(static_cast<intptr_t>(i));
}

}  // namespace

PyObject* matrix_from_bytes(PyObject*, PyObject* args) {
  Py_ssize_t rows, columns;
  Py_buffer buffer;
  if (!PyArg_ParseTuple(args, "nny*:_matrix_from_bytes", &rows, &columns, &buffer)) return nullptr;
  Ref made;
  if (check_sides(rows, columns) == 0) {
    if (buffer.len != rows * columns * static_cast<Py_ssize_t>(sizeof(double))) {
      PyErr_Format(PyExc_ValueError, "%zd bytes are not the numbers of a matrix of %zd x %zd", buffer.len, rows,
                   columns);
    } else {
      made = Ref(new_matrix(rows, columns));
    }
  }
  if (made) std::memcpy(as_matrix(made.get())->doubles->data(), buffer.buf, static_cast<size_t>(buffer.len));
  PyBuffer_Release(&buffer);
  return made.release();
}

PyGetSetDef access_getset[] = {{"rows", get_rows, nullptr, "Number of rows.", nullptr},
                               {"columns", get_columns, nullptr, "Number of columns.", nullptr},
                               {"shape", get_shape, nullptr, "(rows, columns).", nullptr},
                               {"size", get_size, nullptr, "How many numbers.", nullptr},
                               {"T", matrix_transposed, nullptr, "A new matrix with rows for columns.", nullptr},
                               {"length", get_length, nullptr, "The square root of the sum of the squares.", nullptr},
                               {"acquired", get_acquired, nullptr, "True: whoever has a matrix may use it.", nullptr},
                               {"view", matrix_get_view, nullptr,
                                "view[i], view[i, columns], view[rows, j]: a row or column without a copy.", nullptr},
                               {"x", get_component, set_component, "Number 0, row by row.", number(0)},
                               {"y", get_component, set_component, "Number 1, row by row.", number(1)},
                               {"z", get_component, set_component, "Number 2, row by row.", number(2)},
                               {"w", get_component, set_component, "Number 3, row by row.", number(3)},
                               {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef access_methods[] = {
    {"values", values, METH_NOARGS, "values($self, /)\n--\n\nAn iterator over all numbers, row by row."},
    {"copy", copy, METH_NOARGS, "copy($self, /)\n--\n\nA matrix of its own with the same numbers."},
    {"__copy__", copy, METH_NOARGS, nullptr},
    {"__deepcopy__", copy, METH_O, nullptr},
    {"__sizeof__", size_of, METH_NOARGS, nullptr},
    {"__reduce__", reduce, METH_NOARGS, nullptr},
    {"__reduce_ex__", reduce_ex, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
