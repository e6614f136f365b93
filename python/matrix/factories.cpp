// Making matrices: the constructor and the class methods.
#include <algorithm>
#include <memory>
#include <new>
#include <vector>

#include "arguments.h"
#include "methods.h"
#include "operand.h"

namespace boc::py {
namespace {

PyObject* filled(Py_ssize_t rows, Py_ssize_t columns, double value) {
  PyObject* made = new_matrix(rows, columns);
  if (made) std::fill_n(as_matrix(made)->doubles->data(), rows * columns, value);
  return made;
}

PyObject* refuse_values(PyObject* values, Py_ssize_t rows, Py_ssize_t columns) {
  PyErr_Format(PyExc_TypeError, "Values must be either a number or a flat list/tuple of %zd x %zd numbers, not %.100s",
               rows, columns, Py_TYPE(values)->tp_name);
  return nullptr;
}

PyObject* from_sequence(PyObject* values, Py_ssize_t rows, Py_ssize_t columns) {
  const bool fits = PySequence_Check(values) && !PyUnicode_Check(values) && !is_matrix(values) && !is_view(values);
  if (!fits) return refuse_values(values, rows, columns);
  Ref items(PySequence_Tuple(values));
  if (!items) return nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(items.get());
  if (n != rows * columns) {
    PyErr_Format(PyExc_TypeError,
                 "Values must be either a number or a flat list/tuple of %zd x %zd numbers, not of %zd", rows, columns,
                 n);
    return nullptr;
  }
  Ref made(new_matrix(rows, columns));
  if (!made) return nullptr;
  double* to = as_matrix(made.get())->doubles->data();
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PyTuple_GET_ITEM(items.get(), i);
    const int known = as_number(item, to + i);
    if (known < 0) return nullptr;
    if (!known) {
      PyErr_Format(PyExc_TypeError,
                   "Values must be either a number or a flat list/tuple of %zd x %zd numbers; item %zd is %.100s", rows,
                   columns, i, Py_TYPE(item)->tp_name);
      return nullptr;
    }
  }
  return made.release();
}

PyObject* sized(PyObject* size, const char* method, double value) {
  Py_ssize_t rows, columns;
  return parse_size(size, method, &rows, &columns) ? filled(rows, columns, value) : nullptr;
}

PyObject* zeros(PyObject*, PyObject* size) {
  return sized(size, "zeros", 0);
}
PyObject* ones(PyObject*, PyObject* size) {
  return sized(size, "ones", 1);
}

PyObject* full(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"full", 2, 2, 2, 2, {"size", "value"}};
  PyObject* given[2];
  double value;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_number(given[1], "value", &value)) return nullptr;
  return sized(given[0], "full", value);
}

PyObject* vector(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"vector", 1, 2, 1, 2, {"values", "as_column"}};
  PyObject* given[2];
  Operand operand;
  if (!take_arguments(kSignature, args, n, kw, given)) return nullptr;
  const int as_column = parse_flag(given[1], false);
  if (as_column < 0) return nullptr;
  if (is_matrix(given[0])) {
    PyErr_SetString(PyExc_TypeError, "Expected a list/tuple of numbers, not a Matrix: use copy()");
    return nullptr;
  }
  if (!operand.parse_matrix(given[0], "values")) return nullptr;
  Block b = operand.block();
  const Py_ssize_t count = b.size(), step = b.rows == 1 ? b.column_step : b.row_step;
  return new_matrix_from(as_column ? Block{b.at, count, 1, step, 1} : Block{b.at, 1, count, count * step, step});
}

PyObject* from_view(PyObject*, PyObject* view) {
  if (!is_view(view)) {
    PyErr_Format(PyExc_TypeError, "from_view expects a MatrixView, not %.100s", Py_TYPE(view)->tp_name);
    return nullptr;
  }
  return new_matrix_from(block_of_view(as_view(view)));
}

// The parts of a concatenation, and the shape of it.
struct Parts {
  std::vector<std::unique_ptr<Operand>> all;
  Py_ssize_t along = 0, across = 0;

  bool take(PyObject* items, bool down) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); ++i) {
      PyObject* item = PyTuple_GET_ITEM(items, i);
      all.push_back(std::make_unique<Operand>());
      if (!all.back()->parse_matrix(item, "concat: each part")) return false;
      const Block& b = all.back()->block();
      const Py_ssize_t own_along = down ? b.rows : b.columns, own_across = down ? b.columns : b.rows;
      if (i > 0 && own_across != across) {
        PyErr_Format(PyExc_ValueError, "concat: all sub-matrices must have the same number of %s: %zd and %zd",
                     down ? "columns" : "rows", across, own_across);
        return false;
      }
      across = own_across;
      if (own_along > PY_SSIZE_T_MAX - along) {
        PyErr_SetString(PyExc_OverflowError, "concat: the parts are too large together");
        return false;
      }
      along += own_along;
    }
    return true;
  }
};

PyObject* concat_parts(PyObject* items, bool down) {
  Parts parts;
  if (!parts.take(items, down)) return nullptr;
  Ref made(down ? new_matrix(parts.along, parts.across) : new_matrix(parts.across, parts.along));
  if (!made) return nullptr;
  const Block whole = block_of(made.get());
  Py_ssize_t at = 0;
  for (const auto& part : parts.all) {
    const Block& b = part->block();
    for (Py_ssize_t i = 0; i < b.rows; ++i) {
      double* to = down ? whole.row(at + i) : whole.row(i) + at;
      copy_block({b.row(i), 1, b.columns, b.columns * b.column_step, b.column_step}, to);
    }
    at += down ? b.rows : b.columns;
  }
  return made.release();
}

PyObject* concat(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"concat", 1, 2, 1, 2, {"values", "axis"}};
  PyObject* given[2];
  Axis axis;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_gather_axis(given[1], &axis)) return nullptr;
  if (!PyList_Check(given[0]) && !PyTuple_Check(given[0])) {
    PyErr_Format(PyExc_TypeError, "Matrices must be specified as a list or a tuple of Matrix, not %.100s",
                 Py_TYPE(given[0])->tp_name);
    return nullptr;
  }
  Ref items(PySequence_Tuple(given[0]));
  if (!items) return nullptr;
  if (PyTuple_GET_SIZE(items.get()) == 0) Py_RETURN_NONE;
  try {
    return concat_parts(items.get(), axis == Axis::down);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

}  // namespace

PyObject* matrix_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static constexpr Signature kSignature{"Matrix", 0, 3, 2, 3, {"rows", "columns", "values"}};
  PyObject* given[3];
  Py_ssize_t rows, columns;
  double value = 0;
  if (!take_arguments(kSignature, args, kwargs, given) || !parse_index(given[0], &rows) ||
      !parse_index(given[1], &columns) || check_sides(rows, columns) < 0) {
    return nullptr;
  }
  if (given[2] && given[2] != Py_None) {
    const int known = as_number(given[2], &value);
    if (known < 0) return nullptr;
    if (!known) return from_sequence(given[2], rows, columns);
  }
  return filled(rows, columns, value);
}

PyMethodDef factory_methods[] = {
    {"zeros", zeros, METH_O | METH_CLASS, "zeros($type, size, /)\n--\n\nA matrix of zeros; size is (rows, columns)."},
    {"ones", ones, METH_O | METH_CLASS, "ones($type, size, /)\n--\n\nA matrix of ones."},
    {"full", BOC_FAST(full) | METH_CLASS, "full($type, size, value, /)\n--\n\nA matrix of one value."},
    {"vector", BOC_FAST(vector) | METH_CLASS,
     "vector($type, values, /, as_column=False)\n--\n\nA row, or a column, with these numbers."},
    {"concat", BOC_FAST(concat) | METH_CLASS,
     "concat($type, values, /, axis=0)\n--\n\nMatrices below one another, or (axis 1) side by side; None for none."},
    {"from_view", from_view, METH_O | METH_CLASS, "from_view($type, view, /)\n--\n\nA matrix with a view's numbers."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
