// Reductions: of the whole matrix, or of each column (axis=0) or row (axis=1). Sums are taken in order, so that they
// are the same wherever and however often they are taken.
#include "reductions.h"

#include <cmath>
#include <limits>

#include "arguments.h"
#include "methods.h"
#include "operand.h"

namespace boc::py {

bool parse_mask(PyObject* o, const Block& self, Block* mask) {
  mask->at = nullptr;
  if (!o || o == Py_None) return true;
  if (!is_matrix(o)) {
    PyErr_Format(PyExc_TypeError, "where must be a Matrix mask, not %.100s", Py_TYPE(o)->tp_name);
    return false;
  }
  *mask = block_of(o);
  if (mask->same_shape(self)) return true;
  PyErr_Format(PyExc_ValueError, "where mask shape %zdx%zd does not match matrix shape %zdx%zd", mask->rows,
               mask->columns, self.rows, self.columns);
  return false;
}

Group group_of(const Block& b, const Block& mask, Axis axis, Py_ssize_t i) noexcept {
  const double* where = mask.at;
  if (axis == Axis::all) return {b.at, where, 1, b.size()};
  if (axis == Axis::down) return {b.at + i, where ? where + i : nullptr, b.columns, b.rows};
  const Py_ssize_t start = i * b.columns;
  return {b.at + start, where ? where + start : nullptr, 1, b.columns};
}

Py_ssize_t group_count(const Block& b, Axis axis) noexcept {
  return axis == Axis::all ? 1 : axis == Axis::down ? b.columns : b.rows;
}

PyObject* new_per_group(const Block& b, Axis axis) {
  return axis == Axis::down ? new_matrix(1, b.columns) : new_matrix(b.rows, 1);
}

namespace {

enum class Reduction { sum, mean, min, max, magnitude, magnitude_squared };
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double total(const Group& g, bool squares, Py_ssize_t* counted) noexcept {
  double sum = 0;
  Py_ssize_t n = 0;
  for (Py_ssize_t i = 0; i < g.count; ++i) {
    if (!g.has(i)) continue;
    const double x = g[i];
    sum += squares ? x * x : x;
    ++n;
  }
  *counted = n;
  return sum;
}

// The place of the least or the greatest: the first included one if it is NaN, else NaN is passed over. -1 if none is
// included.
Py_ssize_t extreme(const Group& g, bool greatest, double* value) noexcept {
  Py_ssize_t best = -1;
  double at_best = kNaN;
  for (Py_ssize_t i = 0; i < g.count; ++i) {
    if (!g.has(i)) continue;
    const double x = g[i];
    if (best < 0 || (greatest ? x > at_best : x < at_best)) {
      best = i;
      at_best = x;
    }
  }
  *value = at_best;
  return best;
}

// The least or greatest number; NaN only if there is no other.
double extreme_value(const Group& g, bool greatest) noexcept {
  double best = kNaN;
  for (Py_ssize_t i = 0; i < g.count; ++i) {
    if (!g.has(i)) continue;
    const double x = g[i];
    if (std::isnan(best) || (greatest ? x > best : x < best)) best = x;
  }
  return best;
}

double reduce_group(Reduction what, const Group& g) noexcept {
  Py_ssize_t n;
  switch (what) {
    case Reduction::sum:
      return total(g, false, &n);
    case Reduction::mean: {
      const double sum = total(g, false, &n);
      return n ? sum / static_cast<double>(n) : kNaN;
    }
    case Reduction::min:
    case Reduction::max:
      return extreme_value(g, what == Reduction::max);
    case Reduction::magnitude:
      return std::sqrt(total(g, true, &n));
    case Reduction::magnitude_squared:
      return total(g, true, &n);
  }
  return kNaN;
}

PyObject* reduce(Reduction what, const Block& b, const Block& mask, Axis axis) {
  if (axis == Axis::all) {
    double result;
    {
      Unlocked unlocked(static_cast<double>(b.size()));
      result = reduce_group(what, group_of(b, mask, axis, 0));
    }
    return PyFloat_FromDouble(result);
  }
  Ref made(new_per_group(b, axis));
  if (!made) return nullptr;
  double* to = as_matrix(made.get())->doubles->data();
  Unlocked unlocked(static_cast<double>(b.size()));
  for (Py_ssize_t i = 0, n = group_count(b, axis); i < n; ++i) to[i] = reduce_group(what, group_of(b, mask, axis, i));
  return made.release();
}

template <Reduction kWhat>
PyObject* reduction(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr const char* kNames[] = {"sum", "mean", "min", "max", "magnitude", "magnitude_squared"};
  const Signature signature{kNames[static_cast<int>(kWhat)], 0, 2, 0, 2, {"axis", "where"}};
  PyObject* given[2];
  Axis axis;
  const Block b = block_of(self);
  Block mask;
  if (!take_arguments(signature, args, n, kw, given) || !parse_axis(given[0], &axis) ||
      !parse_mask(given[1], b, &mask)) {
    return nullptr;
  }
  return reduce(kWhat, b, mask, axis);
}

PyObject* places(const Block& b, const Block& mask, Axis axis, bool greatest, bool as_matrix_wanted) {
  double value;
  if (axis == Axis::all) return PyLong_FromSsize_t(extreme(group_of(b, mask, axis, 0), greatest, &value));
  const Py_ssize_t n = group_count(b, axis);
  Ref made(as_matrix_wanted ? new_per_group(b, axis) : PyList_New(n));
  if (!made) return nullptr;
  for (Py_ssize_t i = 0; i < n; ++i) {
    const Py_ssize_t place = extreme(group_of(b, mask, axis, i), greatest, &value);
    if (as_matrix_wanted) {
      as_matrix(made.get())->doubles->data()[i] = static_cast<double>(place);
      continue;
    }
    PyObject* number = PyLong_FromSsize_t(place);
    if (!number) return nullptr;
    PyList_SET_ITEM(made.get(), i, number);
  }
  return made.release();
}

template <bool kGreatest>
PyObject* arg_extreme(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  const Signature signature{kGreatest ? "argmax" : "argmin", 0, 3, 0, 3, {"axis", "where", "as_matrix"}};
  PyObject* given[3];
  Axis axis;
  const Block b = block_of(self);
  Block mask;
  if (!take_arguments(signature, args, n, kw, given) || !parse_axis(given[0], &axis) ||
      !parse_mask(given[1], b, &mask)) {
    return nullptr;
  }
  const int flag = parse_flag(given[2], false);
  return flag < 0 ? nullptr : places(b, mask, axis, kGreatest, flag);
}

double dot(const Group& a, const Group& b) noexcept {
  double sum = 0;
  for (Py_ssize_t i = 0; i < a.count; ++i) sum += a[i] * b[i];
  return sum;
}

// Two vectors of one size go together whichever way they lie; else shapes repeat as in arithmetic.
bool fit_vecdot(const Block& self, const Block& other, Block* a, Block* b) {
  const bool vectors = (self.rows == 1 || self.columns == 1) && (other.rows == 1 || other.columns == 1);
  if (vectors && self.size() == other.size()) {
    const Py_ssize_t step = other.rows == 1 ? other.column_step : other.row_step;
    *a = self;
    *b = {other.at, self.rows, self.columns, self.rows == 1 ? 0 : step, self.rows == 1 ? step : 0};
    return true;
  }
  const bool fits = (self.rows == other.rows || self.rows == 1 || other.rows == 1) &&
                    (self.columns == other.columns || self.columns == 1 || other.columns == 1);
  if (fits) {
    const Py_ssize_t rows = self.rows == 1 ? other.rows : self.rows;
    const Py_ssize_t columns = self.columns == 1 ? other.columns : self.columns;
    return broadcast(self, rows, columns, a) && broadcast(other, rows, columns, b);
  }
  PyErr_Format(PyExc_ValueError, "vecdot: lhs %zdx%zd incompatible with rhs %zdx%zd", self.rows, self.columns,
               other.rows, other.columns);
  return false;
}

Group line_of(const Block& b, Axis axis, Py_ssize_t i) noexcept {
  return axis == Axis::down ? Group{b.at + i * b.column_step, nullptr, b.row_step, b.rows}
                            : Group{b.row(i), nullptr, b.column_step, b.columns};
}

PyObject* vecdot(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"vecdot", 1, 2, 1, 2, {"other", "axis"}};
  PyObject* given[2];
  Axis axis;
  Operand other;
  Block a, b;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_axis(given[1], &axis) ||
      !other.parse_matrix(given[0], "vecdot: other") || !fit_vecdot(block_of(self), other.block(), &a, &b)) {
    return nullptr;
  }
  if (axis == Axis::all) {
    double sum = 0;
    {
      Unlocked unlocked(static_cast<double>(a.size()));
      for (Py_ssize_t i = 0; i < a.rows; ++i) {
        for (Py_ssize_t j = 0; j < a.columns; ++j) sum += a(i, j) * b(i, j);
      }
    }
    return PyFloat_FromDouble(sum);
  }
  Ref made(new_per_group(a, axis));
  if (!made) return nullptr;
  double* to = as_matrix(made.get())->doubles->data();
  Unlocked unlocked(static_cast<double>(a.size()));
  for (Py_ssize_t i = 0, count = group_count(a, axis); i < count; ++i)
    to[i] = dot(line_of(a, axis, i), line_of(b, axis, i));
  return made.release();
}

}  // namespace

#define BOC_REDUCTION(name, text) \
  {#name, BOC_FAST(reduction<Reduction::name>), #name "($self, /, axis=None, where=None)\n--\n\n" text}

PyMethodDef reduction_methods[] = {
    BOC_REDUCTION(sum, "The sum, taken in order; 0 of nothing."),
    BOC_REDUCTION(mean, "The mean; NaN of nothing."),
    BOC_REDUCTION(min, "The least number; NaN only if there is no other."),
    BOC_REDUCTION(max, "The greatest number; NaN only if there is no other."),
    BOC_REDUCTION(magnitude, "The square root of the sum of the squares."),
    BOC_REDUCTION(magnitude_squared, "The sum of the squares."),
    {"argmin", BOC_FAST(arg_extreme<false>),
     "argmin($self, /, axis=None, where=None, as_matrix=False)\n--\n\nThe place of the least number: an int, or with "
     "an "
     "axis a list of them."},
    {"argmax", BOC_FAST(arg_extreme<true>),
     "argmax($self, /, axis=None, where=None, as_matrix=False)\n--\n\nThe place of the greatest number: an int, or "
     "with "
     "an axis a list of them."},
    {"vecdot", BOC_FAST(vecdot),
     "vecdot($self, other, /, axis=None)\n--\n\nThe sum of the products, or one for each column or row."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
