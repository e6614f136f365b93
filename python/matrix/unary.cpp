// Operations on each number by itself: ceil() and its like, clip(), fma(), scaled_add().
#include <cmath>
#include <Eigen/Core>

#include "arguments.h"
#include "arithmetic.h"
#include "methods.h"
#include "operand.h"

namespace boc::py {
namespace {

enum class Unary { ceil, floor, round, negate, abs, sqrt, reciprocal, sign, cos, sin };

template <Unary kOp>
double of_one(double x) noexcept {
  switch (kOp) {
    case Unary::ceil:
      return std::ceil(x);
    case Unary::floor:
      return std::floor(x);
    case Unary::round:
      return std::nearbyint(x);  // half to even
    case Unary::negate:
      return -x;
    case Unary::abs:
      return std::fabs(x);
    case Unary::sqrt:
      return std::sqrt(x);
    case Unary::reciprocal:
      return 1 / x;
    case Unary::sign:
      return static_cast<double>((x > 0) - (x < 0));  // NaN and both zeros: 0
    case Unary::cos:
      return std::cos(x);
    case Unary::sin:
      return std::sin(x);
  }
  return x;
}

// `from` is `to`, or apart from it.
template <Unary kOp>
void of_all(const double* from, double* to, Py_ssize_t n) noexcept {
  const Eigen::Map<const Eigen::ArrayXd> in(from, n);
  Eigen::Map<Eigen::ArrayXd> out(to, n);
  if constexpr (kOp == Unary::negate) {
    out = -in;
  } else if constexpr (kOp == Unary::abs) {
    out = in.abs();
  } else if constexpr (kOp == Unary::sqrt) {
    out = in.sqrt();
  } else if constexpr (kOp == Unary::reciprocal) {
    out = 1.0 / in;
  } else {
    for (Py_ssize_t i = 0; i < n; ++i) to[i] = of_one<kOp>(from[i]);
  }
}

template <Unary kOp>
PyObject* apply(PyObject* self, const Target& target) {
  const Block b = block_of(self);
  Ref made(target.make(self, b.rows, b.columns));
  if (!made) return nullptr;
  Unlocked unlocked(static_cast<double>(b.size()));
  of_all<kOp>(b.at, as_matrix(made.get())->doubles->data(), b.size());
  return made.release();
}

template <Unary kOp>
PyObject* unary_method(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr const char* kNames[] = {"ceil", "floor",      "round", "negate", "abs",
                                           "sqrt", "reciprocal", "sign",  "cos",    "sin"};
  const Signature signature{kNames[static_cast<int>(kOp)], 0, 0, 0, 2, {"in_place", "out"}};
  PyObject* given[2];
  Target target;
  if (!take_arguments(signature, args, n, kw, given) || !Target::parse(given[0], given[1], &target)) return nullptr;
  return apply<kOp>(self, target);
}

bool parse_bound(PyObject* o, const char* what, double otherwise, double* bound) {
  *bound = otherwise;
  return !o || o == Py_None || parse_number(o, what, bound);
}

PyObject* clip(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"clip", 0, 2, 0, 4, {"min", "max", "in_place", "out"}};
  PyObject* given[4];
  Target target;
  double low, high;
  if (!take_arguments(kSignature, args, n, kw, given) || !Target::parse(given[2], given[3], &target) ||
      !parse_bound(given[0], "clip: min", -HUGE_VAL, &low) || !parse_bound(given[1], "clip: max", HUGE_VAL, &high)) {
    return nullptr;
  }
  if ((!given[0] || given[0] == Py_None) && (!given[1] || given[1] == Py_None)) {
    PyErr_SetString(PyExc_ValueError, "clip: must provide min and/or max");
    return nullptr;
  }
  if (high < low) {
    PyErr_SetString(PyExc_ValueError, "clip: max must not be less than min");
    return nullptr;
  }
  const Block b = block_of(self);
  Ref made(target.make(self, b.rows, b.columns));
  if (!made) return nullptr;
  double* to = as_matrix(made.get())->doubles->data();
  Unlocked unlocked(static_cast<double>(b.size()));
  for (Py_ssize_t i = 0; i < b.size(); ++i) {
    const double x = b.at[i];
    to[i] = x < low ? low : x > high ? high : x;  // NaN stays, and a bound that is NaN is none
  }
  return made.release();
}

// self * b + c, element by element, with one rounding or two.
struct Fused {
  Block self, b, c;
  double* to;
};

template <bool kOnce>
[[gnu::always_inline]] inline void fuse_all(const Fused& f) noexcept {
  for (Py_ssize_t i = 0, at = 0; i < f.self.rows; ++i) {
    for (Py_ssize_t j = 0; j < f.self.columns; ++j, ++at) {
      const double x = f.self.at[at], b = f.b(i, j), c = f.c(i, j);
      f.to[at] = kOnce ? std::fma(x, b, c) : c * b + x;
    }
  }
}

void fuse_once(const Fused& f) noexcept {
  fuse_all<true>(f);
}

#if defined(__x86_64__) && defined(__GNUC__)
// One instruction where the machine has it, else a call that computes the same.
[[gnu::target("fma")]] void fuse_once_natively(const Fused& f) noexcept {
  fuse_all<true>(f);
}
bool has_fma() noexcept {
  static const bool there = __builtin_cpu_supports("fma");
  return there;
}
#else
void fuse_once_natively(const Fused& f) noexcept {
  fuse_once(f);
}
bool has_fma() noexcept {
  return true;
}
#endif

bool parse_factor(PyObject* o, const char* method, const char* name, Operand* operand) {
  const int taken = is_matrix(o) || is_view(o) || !PySequence_Check(o) ? operand->take(o) : 0;
  if (!taken) {
    PyErr_Format(PyExc_TypeError, "%s: %s must be a Matrix or a real number, not %.100s", method, name,
                 Py_TYPE(o)->tp_name);
  }
  return taken > 0;
}

bool fit_factor(const Block& b, const Block& self, const char* method, const char* name, Block* filled) {
  if (broadcast(b, self.rows, self.columns, filled)) return true;
  PyErr_Format(PyExc_ValueError, "%s: %s shape %zdx%zd incompatible with self %zdx%zd", method, name, b.rows, b.columns,
               self.rows, self.columns);
  return false;
}

PyObject* fuse(PyObject* self, Operand& b, Operand& c, Fused& f, bool in_place, bool once) {
  Ref made(Target{nullptr, in_place}.make(self, f.self.rows, f.self.columns));
  if (!made) return nullptr;
  Doubles* doubles = as_matrix(made.get())->doubles;
  if (!b.steady(doubles) || !c.steady(doubles)) return nullptr;
  broadcast(b.block(), f.self.rows, f.self.columns, &f.b);
  broadcast(c.block(), f.self.rows, f.self.columns, &f.c);
  f.to = doubles->data();
  Unlocked unlocked(static_cast<double>(f.self.size()));
  if (!once) {
    fuse_all<false>(f);
  } else if (has_fma()) {
    fuse_once_natively(f);
  } else {
    fuse_once(f);
  }
  return made.release();
}

PyObject* fma(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"fma", 2, 3, 2, 3, {"b", "c", "in_place"}};
  PyObject* given[3];
  Operand b, c;
  Fused f{};
  f.self = block_of(self);
  if (!take_arguments(kSignature, args, n, kw, given)) return nullptr;
  const int in_place = parse_flag(given[2], false);
  if (in_place < 0 || !parse_factor(given[0], "fma", "b", &b) || !parse_factor(given[1], "fma", "c", &c) ||
      !fit_factor(b.block(), f.self, "fma", "b", &f.b) || !fit_factor(c.block(), f.self, "fma", "c", &f.c)) {
    return nullptr;
  }
  return fuse(self, b, c, f, in_place, true);
}

PyObject* scaled_add(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"scaled_add", 2, 3, 2, 3, {"s", "x", "in_place"}};
  PyObject* given[3];
  Operand s, x;
  Fused f{};
  f.self = block_of(self);
  if (!take_arguments(kSignature, args, n, kw, given)) return nullptr;
  const int in_place = parse_flag(given[2], false);
  if (in_place < 0 || !parse_factor(given[0], "scaled_add", "s", &s) || !x.parse_matrix(given[1], "scaled_add: x") ||
      !fit_factor(s.block(), f.self, "scaled_add", "s", &f.b)) {
    return nullptr;
  }
  if (!x.block().same_shape(f.self)) {
    PyErr_Format(PyExc_ValueError, "scaled_add: x shape %zdx%zd does not match self %zdx%zd", x.block().rows,
                 x.block().columns, f.self.rows, f.self.columns);
    return nullptr;
  }
  return fuse(self, s, x, f, in_place, false);
}

template <Unary kOp>
PyObject* operator_of(PyObject* self) {
  if (is_matrix(self)) return apply<kOp>(self, {});
  Ref made(new_matrix_from(block_of_view(as_view(self))));
  if (!made) return nullptr;
  Ref done(apply<kOp>(made.get(), {nullptr, true}));
  return done.release();
}

}  // namespace

PyObject* number_negative(PyObject* self) {
  return operator_of<Unary::negate>(self);
}
PyObject* number_absolute(PyObject* self) {
  return operator_of<Unary::abs>(self);
}

#define BOC_UNARY(name, text) \
  {#name, BOC_FAST(unary_method<Unary::name>), #name "($self, /, *, in_place=False, out=None)\n--\n\n" text}

PyMethodDef unary_methods[] = {
    BOC_UNARY(ceil, "The least integers that are not less."),
    BOC_UNARY(floor, "The greatest integers that are not greater."),
    BOC_UNARY(round, "The nearest integers; halves go to the even one."),
    BOC_UNARY(negate, "The negatives."),
    BOC_UNARY(abs, "The absolute values."),
    BOC_UNARY(sqrt, "The square roots; NaN for negative numbers."),
    BOC_UNARY(reciprocal, "1 / self; infinite for 0."),
    BOC_UNARY(sign, "-1, 0 or 1; 0 for NaN."),
    BOC_UNARY(cos, "The cosines of angles in radians."),
    BOC_UNARY(sin, "The sines of angles in radians."),
    {"clip", BOC_FAST(clip),
     "clip($self, /, min=None, max=None, *, in_place=False, out=None)\n--\n\nEach number, but not less than min and "
     "not "
     "greater than max."},
    {"fma", BOC_FAST(fma), "fma($self, b, c, /, in_place=False)\n--\n\nself * b + c with one rounding."},
    {"scaled_add", BOC_FAST(scaled_add),
     "scaled_add($self, s, x, /, in_place=False)\n--\n\nself + s * x with two roundings."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
