// take(), put() and their kin: numbers by lists of indices.
#include "gather.h"

#include <new>
#include <type_traits>
#include <vector>

#include "methods.h"
#include "operand.h"
#include "selection.h"

namespace boc::py {
namespace {

using Indices = std::vector<Py_ssize_t>;

const char* word(Axis axis) noexcept {
  return axis == Axis::down ? "row" : "column";
}
Py_ssize_t length_of(const Block& b, Axis axis) noexcept {
  return axis == Axis::down ? b.rows : b.columns;
}

PyObject* out_apart(PyObject* self, PyObject* out, Py_ssize_t rows, Py_ssize_t columns) {
  if (out == self) {
    PyErr_SetString(PyExc_ValueError, "out must not alias the matrix being taken from");
    return nullptr;
  }
  return Target{out, false}.make(self, rows, columns);
}

// `b` is what the indices were checked against: what checking ran may have transposed the matrix.
PyObject* gather_checked(PyObject* self, const Block& b, const Indices& indices, Axis axis, PyObject* out) {
  const auto n = static_cast<Py_ssize_t>(indices.size());
  Ref made(axis == Axis::down ? out_apart(self, out, n, b.columns) : out_apart(self, out, b.rows, n));
  if (!made) return nullptr;
  const Py_ssize_t rows = axis == Axis::down ? n : b.rows, columns = axis == Axis::down ? b.columns : n;
  double* to = as_matrix(made.get())->doubles->data();
  for (Py_ssize_t i = 0; i < rows; ++i) {
    for (Py_ssize_t j = 0; j < columns; ++j) {
      *to++ = axis == Axis::down ? b(indices[static_cast<size_t>(i)], j) : b(i, indices[static_cast<size_t>(j)]);
    }
  }
  return made.release();
}

// A number, or a matrix of exactly this shape. It is read before `self` is written.
bool parse_value(PyObject* self, PyObject* value, Py_ssize_t rows, Py_ssize_t columns, Operand* operand, Block* filled,
                 Ref* copied) {
  const bool fits = is_matrix(value) || is_view(value) || !PySequence_Check(value);
  const int taken = fits ? operand->take(value) : 0;
  if (!taken) {
    PyErr_Format(PyExc_TypeError, "value must be a Matrix or a real number, not %.100s", Py_TYPE(value)->tp_name);
  }
  if (taken <= 0 || !operand->steady(as_matrix(self)->doubles)) return false;
  *filled = operand->block();
  if (!operand->number() && (filled->rows != rows || filled->columns != columns)) {
    PyErr_Format(PyExc_ValueError, "cannot assign %zdx%zd matrix to a selection of shape %zdx%zd", filled->rows,
                 filled->columns, rows, columns);
    return false;
  }
  if (value == self) {
    *copied = Ref(new_matrix_from(*filled));
    if (!*copied) return false;
    *filled = block_of(copied->get());
  }
  return broadcast(*filled, rows, columns, filled);
}

int scatter_checked(PyObject* self, const Block& b, const Indices& indices, PyObject* value, Axis axis,
                    bool accumulate) {
  const auto n = static_cast<Py_ssize_t>(indices.size());
  Operand operand;
  Block from;
  Ref copied;
  const bool down = axis == Axis::down;
  if (!parse_value(self, value, down ? n : b.rows, down ? b.columns : n, &operand, &from, &copied)) return -1;
  for (Py_ssize_t i = 0; i < from.rows; ++i) {
    for (Py_ssize_t j = 0; j < from.columns; ++j) {
      double& to = down ? b(indices[static_cast<size_t>(i)], j) : b(i, indices[static_cast<size_t>(j)]);
      to = accumulate ? to + from(i, j) : from(i, j);
    }
  }
  return 0;
}

// One index per column (down) or row.
bool take_line_indices(const char* method, const Block& b, PyObject* o, Axis axis, Indices* indices) {
  if (!take_indices(o, length_of(b, axis), word(axis), indices)) return false;
  const bool down = axis == Axis::down;
  const Py_ssize_t wanted = down ? b.columns : b.rows;
  if (static_cast<Py_ssize_t>(indices->size()) == wanted) return true;
  PyErr_Format(PyExc_ValueError, "%s on axis %d expects %zd indices (one per %s), got %zu", method, down ? 0 : 1,
               wanted, down ? "column" : "row", indices->size());
  return false;
}

double& along(const Block& b, const Indices& indices, Axis axis, Py_ssize_t i) noexcept {
  const Py_ssize_t index = indices[static_cast<size_t>(i)];
  return axis == Axis::down ? b(index, i) : b(i, index);
}

// No std::bad_alloc into Python.
template <typename F>
auto guarded(F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    if constexpr (std::is_pointer_v<decltype(f())>) {
      return nullptr;
    } else {
      return -1;
    }
  }
}

PyObject* parse_out(PyObject* out, bool* good) {
  Target target;
  *good = Target::parse(nullptr, out, &target);
  return target.out;
}

PyObject* take(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"take", 0, 2, 1, 3, {"indices", "axis", "out"}};
  PyObject* given[3];
  Axis axis;
  bool good;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_gather_axis(given[1], &axis)) return nullptr;
  PyObject* out = parse_out(given[2], &good);
  return good ? gather_lines(self, given[0], axis, out) : nullptr;
}

PyObject* put(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"put", 0, 4, 2, 4, {"indices", "value", "axis", "accumulate"}};
  PyObject* given[4];
  Axis axis;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_gather_axis(given[2], &axis)) return nullptr;
  const int accumulate = parse_flag(given[3], false);
  if (accumulate < 0 || scatter_lines(self, given[0], given[1], axis, accumulate) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* take_along_axis(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"take_along_axis", 0, 2, 1, 3, {"indices", "axis", "out"}};
  PyObject* given[3];
  Axis axis;
  bool good;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_gather_axis(given[1], &axis)) return nullptr;
  PyObject* out = parse_out(given[2], &good);
  if (!good) return nullptr;
  return guarded([&]() -> PyObject* {
    const Block b = block_of(self);
    Indices indices;
    if (!take_line_indices("take_along_axis", b, given[0], axis, &indices)) return nullptr;
    const auto count = static_cast<Py_ssize_t>(indices.size());
    Ref made(axis == Axis::down ? out_apart(self, out, 1, count) : out_apart(self, out, count, 1));
    if (!made) return nullptr;
    double* to = as_matrix(made.get())->doubles->data();
    for (Py_ssize_t i = 0; i < count; ++i) to[i] = along(b, indices, axis, i);
    return made.release();
  });
}

PyObject* put_along_axis(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"put_along_axis", 0, 4, 2, 4, {"indices", "value", "axis", "accumulate"}};
  PyObject* given[4];
  Axis axis;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_gather_axis(given[2], &axis)) return nullptr;
  const int accumulate = parse_flag(given[3], false);
  if (accumulate < 0) return nullptr;
  return guarded([&]() -> PyObject* {
    const Block b = block_of(self);
    Indices indices;
    Operand operand;
    Block from;
    Ref copied;
    if (!take_line_indices("put_along_axis", b, given[0], axis, &indices)) return nullptr;
    const bool down = axis == Axis::down;
    const auto count = static_cast<Py_ssize_t>(indices.size());
    if (!parse_value(self, given[1], down ? 1 : count, down ? count : 1, &operand, &from, &copied)) return nullptr;
    for (Py_ssize_t i = 0; i < count; ++i) {
      double& to = along(b, indices, axis, i);
      const double x = down ? from(0, i) : from(i, 0);
      to = accumulate ? to + x : x;
    }
    Py_RETURN_NONE;
  });
}

PyObject* repeat_interleave(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"repeat_interleave", 0, 2, 1, 2, {"repeats", "axis"}};
  PyObject* given[2];
  Axis axis;
  Py_ssize_t repeats;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_index(given[0], &repeats) ||
      !parse_axis(given[1], &axis)) {
    return nullptr;
  }
  if (repeats < 1) {
    PyErr_Format(PyExc_ValueError, "repeats must be a positive integer, not %zd", repeats);
    return nullptr;
  }
  Block b = block_of(self);
  if (axis == Axis::all) b = {b.at, 1, b.size(), b.size(), 1};
  const Py_ssize_t before = axis == Axis::down ? b.rows : b.columns;
  if (repeats > PY_SSIZE_T_MAX / before) {
    PyErr_Format(PyExc_OverflowError, "%zd repeats of %zd are too many for a matrix", repeats, before);
    return nullptr;
  }
  Ref made(axis == Axis::down ? new_matrix(b.rows * repeats, b.columns) : new_matrix(b.rows, b.columns * repeats));
  if (!made) return nullptr;
  const Block to = block_of(made.get());
  Unlocked unlocked(static_cast<double>(to.size()));
  for (Py_ssize_t i = 0; i < to.rows; ++i) {
    for (Py_ssize_t j = 0; j < to.columns; ++j) {
      to(i, j) = axis == Axis::down ? b(i / repeats, j) : b(i, j / repeats);
    }
  }
  return made.release();
}

}  // namespace

PyObject* gather_lines(PyObject* self, PyObject* indices, Axis axis, PyObject* out) {
  return guarded([&]() -> PyObject* {
    const Block b = block_of(self);
    Indices checked;
    if (!take_indices(indices, length_of(b, axis), word(axis), &checked)) return nullptr;
    return gather_checked(self, b, checked, axis, out);
  });
}

int scatter_lines(PyObject* self, PyObject* indices, PyObject* value, Axis axis, bool accumulate) {
  return guarded([&]() -> int {
    const Block b = block_of(self);
    Indices checked;
    if (!take_indices(indices, length_of(b, axis), word(axis), &checked)) return -1;
    return scatter_checked(self, b, checked, value, axis, accumulate);
  });
}

PyMethodDef gather_methods[] = {
    {"take", BOC_FAST(take),
     "take($self, /, indices, axis=0, *, out=None)\n--\n\nThe rows or columns with these indices."},
    {"put", BOC_FAST(put),
     "put($self, /, indices, value, axis=0, accumulate=False)\n--\n\nSet, or add to, the rows or columns with these "
     "indices."},
    {"take_along_axis", BOC_FAST(take_along_axis),
     "take_along_axis($self, /, indices, axis=0, *, out=None)\n--\n\nFrom each column (axis 0) or row the number at "
     "its "
     "index."},
    {"put_along_axis", BOC_FAST(put_along_axis),
     "put_along_axis($self, /, indices, value, axis=0, accumulate=False)\n--\n\nSet, or add to, in each column (axis "
     "0) or "
     "row the number at its index."},
    {"repeat_interleave", BOC_FAST(repeat_interleave),
     "repeat_interleave($self, /, repeats, axis=None)\n--\n\nEach number, row (axis 0) or column (axis 1) so many "
     "times."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
