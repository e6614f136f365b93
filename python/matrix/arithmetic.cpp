#include "arithmetic.h"

#include "arguments.h"
#include "methods.h"
#include "operand.h"
#include "product.h"

namespace boc::py {
namespace {

// The common case, two matrices of one shape with few numbers, without any of the rest.
constexpr Py_ssize_t kFew = 16;

double combine_one(Binary op, double a, double b) noexcept {
  switch (op) {
    case Binary::add:
      return a + b;
    case Binary::subtract:
      return a - b;
    case Binary::multiply:
      return a * b;
    default:
      return a / b;
  }
}

PyObject* few_by_few(Binary op, const Block& a, const Block& b) {
  PyObject* made = new_matrix_like(a);
  if (!made) return nullptr;
  double* to = as_matrix(made)->doubles->data();
  for (Py_ssize_t i = 0, n = a.size(); i < n; ++i) to[i] = combine_one(op, a.at[i], b.at[i]);
  return made;
}

PyObject* few_by_number(Binary op, const Block& a, double b) {
  PyObject* made = new_matrix_like(a);
  if (!made) return nullptr;
  double* to = as_matrix(made)->doubles->data();
  for (Py_ssize_t i = 0, n = a.size(); i < n; ++i) to[i] = combine_one(op, a.at[i], b);
  return made;
}

// Steals nothing; a new reference to where the result is.
PyObject* combine_into(Binary op, Operand& a, Operand& b, PyObject* self, const Target& target) {
  Py_ssize_t rows, columns;
  if (!common_shape(a.block(), b.block(), &rows, &columns)) return nullptr;
  Ref made(target.make(self, rows, columns));
  if (!made) return nullptr;
  Doubles* doubles = as_matrix(made.get())->doubles;
  if (!a.steady(doubles) || !b.steady(doubles)) return nullptr;
  Block x, y;
  broadcast(a.block(), rows, columns, &x);
  broadcast(b.block(), rows, columns, &y);
  {
    Unlocked unlocked(static_cast<double>(x.size()));
    combine(op, x, y, doubles->data());
  }
  return made.release();
}

int refuse_growth(const Block& self, const Block& other) {
  const bool rows = other.rows > self.rows && self.rows == 1;
  const bool columns = other.columns > self.columns && self.columns == 1;
  if (self.rows == 1 && self.columns == 1 && (rows || columns)) {
    PyErr_Format(PyExc_ValueError, "in-place scalar broadcast would change operand shape (1x1 to %zdx%zd)", other.rows,
                 other.columns);
    return -1;
  }
  if (rows || columns) {
    PyErr_Format(PyExc_ValueError, "in-place %s broadcast would change operand shape (%zdx%zd with %zdx%zd)",
                 other.rows == 1 || other.columns == 1 ? "outer" : "vector", self.rows, self.columns, other.rows,
                 other.columns);
    return -1;
  }
  return 0;
}

PyObject* in_place(Binary op, PyObject* self, PyObject* other) {
  Operand a, b;
  a.take_matrix(self);
  const int taken = b.take(other);
  if (taken < 0) return nullptr;
  if (!taken) Py_RETURN_NOTIMPLEMENTED;
  if (refuse_growth(a.block(), b.block()) < 0) return nullptr;
  return combine_into(op, a, b, self, {nullptr, true});
}

PyObject* named(Binary op, const char* name, PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  const Signature signature{name, 1, 1, 1, 2, {"other", "out"}};
  PyObject* given[2];
  Target target;
  Operand a, b;
  if (!take_arguments(signature, args, n, kw, given) || !Target::parse(nullptr, given[1], &target)) return nullptr;
  if (!b.parse(given[0], "other")) return nullptr;
  a.take_matrix(self);
  return combine_into(op, a, b, self, target);
}

template <Binary kOp>
PyObject* named_method(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr const char* kNames[] = {"add",        "subtract", "multiply",      "divide", "less",
                                           "less_equal", "greater",  "greater_equal", "equal",  "not_equal"};
  return named(kOp, kNames[static_cast<int>(kOp)], self, args, n, kw);
}

}  // namespace

PyObject* binary_operator(Binary op, PyObject* a, PyObject* b) {
  PyTypeObject* type = home().matrix_type;
  if (Py_TYPE(a) == type) {
    const Block x = block_of(a);
    if (Py_TYPE(b) == type) {
      const Block y = block_of(b);
      if (x.same_shape(y) && x.size() <= kFew) return few_by_few(op, x, y);
    } else if (PyFloat_CheckExact(b) && x.size() <= kFew) {
      return few_by_number(op, x, PyFloat_AS_DOUBLE(b));
    }
  }
  Operand left, right;
  int taken = left.take(a);
  if (taken > 0) taken = right.take(b);
  if (taken < 0) return nullptr;
  if (!taken) Py_RETURN_NOTIMPLEMENTED;
  return combine_into(op, left, right, nullptr, {});
}

PyObject* matrix_multiply(PyObject* a, PyObject* b) {
  Operand left, right;
  int taken = left.take_matrix(a);
  if (taken > 0) taken = right.take_matrix(b);
  if (taken < 0) return nullptr;
  if (!taken) Py_RETURN_NOTIMPLEMENTED;
  const Block &x = left.block(), &y = right.block();
  if (x.columns != y.rows) {
    PyErr_Format(PyExc_ValueError,
                 "%zdx%zd @ %zdx%zd: the columns of the first must be as many as the rows of the second", x.rows,
                 x.columns, y.rows, y.columns);
    return nullptr;
  }
  Ref made(new_matrix(x.rows, y.columns));
  if (!made) return nullptr;
  bool done;
  {
    Unlocked unlocked(static_cast<double>(x.size()) * static_cast<double>(y.columns));
    done = multiply(x, y, as_matrix(made.get())->doubles->data());
  }
  return done ? made.release() : PyErr_NoMemory();
}

PyObject* number_add(PyObject* a, PyObject* b) {
  return binary_operator(Binary::add, a, b);
}
PyObject* number_subtract(PyObject* a, PyObject* b) {
  return binary_operator(Binary::subtract, a, b);
}
PyObject* number_multiply(PyObject* a, PyObject* b) {
  return binary_operator(Binary::multiply, a, b);
}
PyObject* number_divide(PyObject* a, PyObject* b) {
  return binary_operator(Binary::divide, a, b);
}
PyObject* number_add_in_place(PyObject* a, PyObject* b) {
  return in_place(Binary::add, a, b);
}
PyObject* number_subtract_in_place(PyObject* a, PyObject* b) {
  return in_place(Binary::subtract, a, b);
}
PyObject* number_multiply_in_place(PyObject* a, PyObject* b) {
  return in_place(Binary::multiply, a, b);
}
PyObject* number_divide_in_place(PyObject* a, PyObject* b) {
  return in_place(Binary::divide, a, b);
}

PyMethodDef arithmetic_methods[] = {
    {"add", BOC_FAST(named_method<Binary::add>), "add($self, other, /, *, out=None)\n--\n\nself + other."},
    {"subtract", BOC_FAST(named_method<Binary::subtract>),
     "subtract($self, other, /, *, out=None)\n--\n\nself - other."},
    {"multiply", BOC_FAST(named_method<Binary::multiply>),
     "multiply($self, other, /, *, out=None)\n--\n\nself * other, element by element."},
    {"divide", BOC_FAST(named_method<Binary::divide>), "divide($self, other, /, *, out=None)\n--\n\nself / other."},
    {"less", BOC_FAST(named_method<Binary::less>),
     "less($self, other, /, *, out=None)\n--\n\n1 where self < other, else 0."},
    {"less_equal", BOC_FAST(named_method<Binary::less_equal>),
     "less_equal($self, other, /, *, out=None)\n--\n\n1 where self <= other, else 0."},
    {"greater", BOC_FAST(named_method<Binary::greater>),
     "greater($self, other, /, *, out=None)\n--\n\n1 where self > other, else 0."},
    {"greater_equal", BOC_FAST(named_method<Binary::greater_equal>),
     "greater_equal($self, other, /, *, out=None)\n--\n\n1 where self >= other, else 0."},
    {"equal", BOC_FAST(named_method<Binary::equal>),
     "equal($self, other, /, *, out=None)\n--\n\n1 where both are equal, else 0; NaN equals nothing."},
    {"not_equal", BOC_FAST(named_method<Binary::not_equal>),
     "not_equal($self, other, /, *, out=None)\n--\n\n1 where they differ, else 0."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
