// Comparing whole matrices: in the order of their numbers, row by row; allclose() and where().
#include <cmath>

#include "arguments.h"
#include "methods.h"
#include "operand.h"

namespace boc::py {
namespace {

// -1, 0 or 1 by the first pair of numbers that decides; NaN never does.
int order_of(const Block& a, const Block& b) noexcept {
  for (Py_ssize_t i = 0; i < a.rows; ++i) {
    for (Py_ssize_t j = 0; j < a.columns; ++j) {
      const double x = a(i, j), y = b(i, j);
      if (x < y) return -1;
      if (x > y) return 1;
    }
  }
  return 0;
}

// What a list holds may be no numbers at all: then it is not equal.
PyObject* unequal_unless_serious(int op) {
  const bool mild = PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_ValueError) ||
                    PyErr_ExceptionMatches(PyExc_OverflowError);
  if (!mild || (op != Py_EQ && op != Py_NE)) return nullptr;
  PyErr_Clear();
  return PyBool_FromLong(op == Py_NE);
}

bool close(double a, double b, double relative, double absolute, bool equal_nan) noexcept {
  if (std::isnan(a) || std::isnan(b)) return equal_nan && std::isnan(a) && std::isnan(b);
  if (std::isinf(a) || std::isinf(b)) return a == b;
  return std::fabs(a - b) <= absolute + relative * std::fabs(b);
}

bool need_matrix(PyObject* o, const char* method, const char* what) {
  if (is_matrix(o)) return true;
  PyErr_Format(PyExc_TypeError, "%s: %s must be a Matrix, not %.100s", method, what, Py_TYPE(o)->tp_name);
  return false;
}

PyObject* allclose(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"allclose", 2, 5, 2, 5, {"lhs", "rhs", "rtol", "atol", "equal_nan"}};
  PyObject* given[5];
  double relative = 1e-5, absolute = 1e-8;
  if (!take_arguments(kSignature, args, n, kw, given) || !need_matrix(given[0], "allclose", "lhs") ||
      !need_matrix(given[1], "allclose", "rhs") || (given[2] && !parse_number(given[2], "rtol", &relative)) ||
      (given[3] && !parse_number(given[3], "atol", &absolute))) {
    return nullptr;
  }
  const int equal_nan = parse_flag(given[4], false);
  if (equal_nan < 0) return nullptr;
  const Block a = block_of(given[0]), b = block_of(given[1]);
  bool good = a.same_shape(b);
  {
    Unlocked unlocked(static_cast<double>(a.size()));
    for (Py_ssize_t i = 0; good && i < a.size(); ++i) good = close(a.at[i], b.at[i], relative, absolute, equal_nan);
  }
  return PyBool_FromLong(good);
}

bool parse_choice(PyObject* o, const Block& mask, Operand* operand, Block* filled) {
  if (!operand->parse(o, "where: each operand")) return false;
  if (!operand->number() && !operand->block().same_shape(mask)) {
    PyErr_Format(PyExc_ValueError,
                 "where() matrix or list/tuple operands must match the mask shape: %zdx%zd with a mask of %zdx%zd",
                 operand->block().rows, operand->block().columns, mask.rows, mask.columns);
    return false;
  }
  return broadcast(operand->block(), mask.rows, mask.columns, filled);
}

PyObject* where(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"where", 3, 3, 3, 4, {"mask", "a", "b", "out"}};
  PyObject* given[4];
  Target target;
  Operand a, b;
  Block x, y;
  if (!take_arguments(kSignature, args, n, kw, given) || !Target::parse(nullptr, given[3], &target) ||
      !need_matrix(given[0], "where", "mask")) {
    return nullptr;
  }
  const Block mask = block_of(given[0]);
  if (!parse_choice(given[1], mask, &a, &x) || !parse_choice(given[2], mask, &b, &y)) return nullptr;
  Ref made(target.make(nullptr, mask.rows, mask.columns));
  if (!made) return nullptr;
  Doubles* doubles = as_matrix(made.get())->doubles;
  if (!a.steady(doubles) || !b.steady(doubles)) return nullptr;
  broadcast(a.block(), mask.rows, mask.columns, &x);
  broadcast(b.block(), mask.rows, mask.columns, &y);
  double* to = doubles->data();
  Unlocked unlocked(static_cast<double>(mask.size()));
  for (Py_ssize_t i = 0; i < mask.rows; ++i) {
    for (Py_ssize_t j = 0; j < mask.columns; ++j) *to++ = mask(i, j) != 0 ? x(i, j) : y(i, j);
  }
  return made.release();
}

}  // namespace

PyObject* matrix_compare(PyObject* a, PyObject* b, int op) {
  Operand other;
  if (is_view(b)) Py_RETURN_NOTIMPLEMENTED;  // a view is equal to itself only
  const Block x = block_of(a);
  const int taken = other.take(b);
  if (taken < 0) return unequal_unless_serious(op);
  if (!taken) Py_RETURN_NOTIMPLEMENTED;
  Block y;
  const bool fits = other.number() || other.block().same_shape(x);
  if (!fits || !broadcast(other.block(), x.rows, x.columns, &y)) {
    if (op == Py_EQ || op == Py_NE) return PyBool_FromLong(op == Py_NE);
    PyErr_Format(PyExc_ValueError,
                 "ordering comparison requires a matrix, list, or tuple operand of the same shape (or a scalar "
                 "operand): %zdx%zd and %zdx%zd",
                 x.rows, x.columns, other.block().rows, other.block().columns);
    return nullptr;
  }
  int order;
  {
    Unlocked unlocked(static_cast<double>(x.size()));
    order = order_of(x, y);
  }
  Py_RETURN_RICHCOMPARE(order, 0, op);
}

PyMethodDef compare_methods[] = {{"allclose", BOC_FAST(allclose) | METH_CLASS,
                                  "allclose($type, lhs, rhs, /, rtol=1e-05, atol=1e-08, "
                                  "equal_nan=False)\n--\n\nWhether |lhs - rhs| <= atol + rtol * "
                                  "|rhs| everywhere, and the shapes are the same."},
                                 {"where", BOC_FAST(where) | METH_CLASS,
                                  "where($type, mask, a, b, /, *, out=None)\n--\n\na where the mask is not 0, else b."},
                                 {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
