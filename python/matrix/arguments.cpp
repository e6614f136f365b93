#include "arguments.h"

#include <climits>
#include <cstring>

namespace boc::py {
namespace {

int find_name(const Signature& s, PyObject* name) {
  for (int i = s.fixed; i < s.count; ++i) {
    if (PyUnicode_CompareWithASCIIString(name, s.names[i]) == 0) return i;
  }
  return -1;
}

bool put_named(const Signature& s, PyObject* name, PyObject* value, PyObject** out) {
  const int i = find_name(s, name);
  if (i < 0) {
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", s.method, name);
    return false;
  }
  if (out[i]) {
    PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'", s.method, s.names[i]);
    return false;
  }
  out[i] = value;
  return true;
}

bool put_positional(const Signature& s, PyObject* const* args, Py_ssize_t n, PyObject** out) {
  if (n > s.positional) {
    PyErr_Format(PyExc_TypeError, "%s() takes at most %d positional argument%s (%zd given)", s.method, s.positional,
                 s.positional == 1 ? "" : "s", n);
    return false;
  }
  for (int i = 0; i < s.count; ++i) out[i] = i < n ? args[i] : nullptr;
  return true;
}

bool all_there(const Signature& s, PyObject** out) {
  for (int i = 0; i < s.required; ++i) {
    if (!out[i]) {
      PyErr_Format(PyExc_TypeError, "%s() is missing its argument '%s'", s.method, s.names[i]);
      return false;
    }
  }
  return true;
}

}  // namespace

bool take_arguments(const Signature& s, PyObject* const* args, Py_ssize_t n, PyObject* kwnames, PyObject** out) {
  if (!put_positional(s, args, n, out)) return false;
  const Py_ssize_t named = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  for (Py_ssize_t i = 0; i < named; ++i) {
    if (!put_named(s, PyTuple_GET_ITEM(kwnames, i), args[n + i], out)) return false;
  }
  return all_there(s, out);
}

bool take_arguments(const Signature& s, PyObject* args, PyObject* kwargs, PyObject** out) {
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (!put_positional(s, n ? &PyTuple_GET_ITEM(args, 0) : nullptr, n, out)) return false;
  PyObject *name, *value;
  Py_ssize_t position = 0;
  while (kwargs && PyDict_Next(kwargs, &position, &name, &value)) {
    if (!put_named(s, name, value, out)) return false;
  }
  return all_there(s, out);
}

bool parse_axis(PyObject* o, Axis* axis) {
  *axis = Axis::all;
  if (!o || o == Py_None) return true;
  if (!PyLong_Check(o) || PyBool_Check(o)) {
    PyErr_Format(PyExc_TypeError, "axis must be an int or None, not %.100s", Py_TYPE(o)->tp_name);
    return false;
  }
  int overflow;
  const long value = PyLong_AsLongAndOverflow(o, &overflow);
  if (value == -1 && PyErr_Occurred()) return false;
  if (overflow || value < INT_MIN || value > INT_MAX) {
    PyErr_Format(PyExc_OverflowError, "axis %S out of int range", o);
    return false;
  }
  if (value < -2 || value > 1) {
    PyErr_Format(PyExc_ValueError, "axis must be -2, -1, 0, or 1, not %ld", value);
    return false;
  }
  *axis = value == 0 || value == -2 ? Axis::down : Axis::across;
  return true;
}

bool parse_gather_axis(PyObject* o, Axis* axis) {
  *axis = Axis::down;
  if (!o) return true;
  Py_ssize_t value;
  if (!parse_index(o, &value)) return false;
  if (value < -2 || value > 1) {
    PyErr_Format(PyExc_KeyError, "Invalid axis %zd (must be 0 or 1)", value);
    return false;
  }
  *axis = value == 0 || value == -2 ? Axis::down : Axis::across;
  return true;
}

int parse_flag(PyObject* o, bool otherwise) {
  return o ? PyObject_IsTrue(o) : otherwise;
}

bool parse_index(PyObject* o, Py_ssize_t* value) {
  *value = PyNumber_AsSsize_t(o, PyExc_OverflowError);
  return *value != -1 || !PyErr_Occurred();
}

bool parse_size(PyObject* o, const char* method, Py_ssize_t* rows, Py_ssize_t* columns) {
  if (!PyTuple_Check(o) || PyTuple_GET_SIZE(o) != 2) {
    PyErr_Format(PyExc_TypeError, "%s(): size must be a tuple (rows, columns)", method);
    return false;
  }
  return parse_index(PyTuple_GET_ITEM(o, 0), rows) && parse_index(PyTuple_GET_ITEM(o, 1), columns) &&
         check_sides(*rows, *columns) == 0;
}

int as_number(PyObject* o, double* value) {
  if (PyFloat_CheckExact(o)) {
    *value = PyFloat_AS_DOUBLE(o);
    return 1;
  }
  const PyNumberMethods* number = Py_TYPE(o)->tp_as_number;
  // Arrays have __float__ too, for one number alone.
  if (!number || PySequence_Check(o) || (!number->nb_float && !number->nb_index)) return 0;
  *value = PyFloat_AsDouble(o);
  return *value == -1.0 && PyErr_Occurred() ? -1 : 1;
}

bool parse_number(PyObject* o, const char* what, double* value) {
  const int known = as_number(o, value);
  if (!known) PyErr_Format(PyExc_TypeError, "%s must be a number, not %.100s", what, Py_TYPE(o)->tp_name);
  return known > 0;
}

bool Target::parse(PyObject* in_place, PyObject* out, Target* target) {
  const int flag = parse_flag(in_place, false);
  if (flag < 0) return false;
  target->in_place = flag != 0;
  target->out = out == Py_None ? nullptr : out;
  if (target->out && !is_matrix(target->out)) {
    PyErr_Format(PyExc_TypeError, "out must be a Matrix, not %.100s", Py_TYPE(out)->tp_name);
    return false;
  }
  if (target->out && target->in_place) {
    PyErr_SetString(PyExc_ValueError, "out and in_place are mutually exclusive");
    return false;
  }
  return true;
}

PyObject* Target::make(PyObject* self, Py_ssize_t rows, Py_ssize_t columns) const {
  PyObject* into = out ? out : in_place ? self : nullptr;
  if (!into) return new_matrix(rows, columns);
  const Block b = block_of(into);
  if (b.rows != rows || b.columns != columns) {
    PyErr_Format(PyExc_ValueError,
                 out ? "out shape %zdx%zd does not match result %zdx%zd"
                     : "in_place: shape %zdx%zd does not match result %zdx%zd",
                 b.rows, b.columns, rows, columns);
    return nullptr;
  }
  return Py_NewRef(into);
}

}  // namespace boc::py
