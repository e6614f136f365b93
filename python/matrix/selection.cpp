#include "selection.h"

namespace boc::py {

bool fit_index(Py_ssize_t i, Py_ssize_t limit, const char* what, Py_ssize_t* fitted) {
  *fitted = i < 0 ? i + limit : i;
  if (*fitted >= 0 && *fitted < limit) return true;
  PyErr_Format(PyExc_IndexError, "%s index %zd out of range for dimension of size %zd", what, i, limit);
  return false;
}

bool take_indices(PyObject* o, Py_ssize_t limit, const char* what, std::vector<Py_ssize_t>* indices) {
  if (!PySequence_Check(o) || PyUnicode_Check(o) || PyBytes_Check(o)) {
    PyErr_Format(PyExc_TypeError, "Indices must be specified as a list or a tuple of ints, not %.100s",
                 Py_TYPE(o)->tp_name);
    return false;
  }
  Ref items(PySequence_Tuple(o));
  if (!items) return false;
  const Py_ssize_t n = PyTuple_GET_SIZE(items.get());
  if (n == 0) {
    PyErr_SetString(PyExc_IndexError, "index sequence must not be empty");
    return false;
  }
  indices->resize(static_cast<size_t>(n));
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PyTuple_GET_ITEM(items.get(), i);
    if (!PyIndex_Check(item)) {
      PyErr_Format(PyExc_TypeError, "an integer is required as %s index, not %.100s", what, Py_TYPE(item)->tp_name);
      return false;
    }
    const Py_ssize_t index = PyNumber_AsSsize_t(item, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) return false;
    if (!fit_index(index, limit, what, &(*indices)[static_cast<size_t>(i)])) return false;
  }
  return true;
}

bool take_range(PyObject* key, Py_ssize_t limit, const char* what, Range* range) {
  if (PySlice_Check(key)) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(key, &start, &stop, &step) < 0) return false;
    const Py_ssize_t count = PySlice_AdjustIndices(limit, &start, &stop, step);
    if (count < 1) {
      PyErr_Format(PyExc_IndexError, "this slice selects no %s of %zd: a matrix cannot be empty", what, limit);
      return false;
    }
    *range = {start, count == 1 ? 1 : step, count, false};
    return true;
  }
  if (!PyIndex_Check(key)) {
    PyErr_Format(PyExc_TypeError, "Key must be an int or a slice, not %.100s", Py_TYPE(key)->tp_name);
    return false;
  }
  const Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
  if (index == -1 && PyErr_Occurred()) return false;
  *range = {0, 1, 1, true};
  return fit_index(index, limit, what, &range->start);
}

}  // namespace boc::py
