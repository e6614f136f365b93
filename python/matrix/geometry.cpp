// Vectors of two and three numbers, one or many in a matrix; lengths; transposing.
#include <algorithm>
#include <cmath>

#include "arguments.h"
#include "methods.h"
#include "operand.h"
#include "reductions.h"

namespace boc::py {
namespace {

// How vectors lie in a matrix: along rows (across) or along columns (down).
struct Layout {
  bool across;
  bool single;
  Py_ssize_t dimension;  // 0: not at all
  Py_ssize_t count;

  // Component c of vector i.
  static double& at(const Block& b, const Layout& l, Py_ssize_t i, Py_ssize_t c) noexcept {
    return l.across ? b(i, c) : b(c, i);
  }
};

// Vectors of two numbers: rows if there are two columns, else columns if there are two rows; an axis says which.
Layout plane_layout(const Block& b, Axis axis) noexcept {
  const bool single = b.size() == 2;
  if (b.columns == 2 && axis != Axis::down) return {true, single, 2, b.rows};
  if (b.rows == 2 && axis != Axis::across) return {false, single, 2, b.columns};
  return {false, false, 0, 0};
}

// The same with vectors of three; an axis decides only where both ways are possible (2x2, 3x3).
Layout cross_layout(const Block& b, Axis axis) noexcept {
  if (b.rows == 1 || b.columns == 1) {
    const bool across = b.rows == 1;
    const bool fits = (b.size() == 2 || b.size() == 3) && axis != (across ? Axis::down : Axis::across);
    return {across, true, fits ? b.size() : 0, 1};
  }
  if (b.rows == b.columns && b.rows <= 3) return {axis != Axis::down, false, b.rows, b.rows};
  if (b.columns == 2) return {true, false, 2, b.rows};
  if (b.rows == 2) return {false, false, 2, b.columns};
  if (b.columns == 3) return {true, false, 3, b.rows};
  if (b.rows == 3) return {false, false, 3, b.columns};
  return {false, false, 0, 0};
}

const char* shape_word(const Layout& l) noexcept {
  if (l.single) return l.dimension == 2 ? "2D vector" : "3D vector";
  if (l.dimension == 2) return l.across ? "Nx2 batch" : "2xN batch";
  return l.across ? "Nx3 batch" : "3xN batch";
}

// `other` laid out as self: of the same shape, or one vector for all.
bool fit_cross(const Layout& l, const Block& self, const Block& other, Block* filled) {
  const bool vector = (other.rows == 1 || other.columns == 1) && other.size() == l.dimension;
  if (vector) {
    const Py_ssize_t step = other.rows == 1 ? other.column_step : other.row_step;
    *filled = {other.at, self.rows, self.columns, l.across ? 0 : step, l.across ? step : 0};
    return true;
  }
  if (!l.single && other.same_shape(self)) {
    *filled = other;
    return true;
  }
  PyErr_Format(PyExc_ValueError, "cross: %s lhs %zdx%zd incompatible with rhs %zdx%zd", shape_word(l), self.rows,
               self.columns, other.rows, other.columns);
  return false;
}

void cross_of_three(const Layout& l, const Block& a, const Block& b, const Block& to) noexcept {
  for (Py_ssize_t i = 0; i < l.count; ++i) {
    double x[3], y[3];
    for (int c = 0; c < 3; ++c) {
      x[c] = Layout::at(a, l, i, c);
      y[c] = Layout::at(b, l, i, c);
    }
    Layout::at(to, l, i, 0) = x[1] * y[2] - x[2] * y[1];
    Layout::at(to, l, i, 1) = x[2] * y[0] - x[0] * y[2];
    Layout::at(to, l, i, 2) = x[0] * y[1] - x[1] * y[0];
  }
}

double cross_of_two(const Layout& l, const Block& a, const Block& b, Py_ssize_t i) noexcept {
  return Layout::at(a, l, i, 0) * Layout::at(b, l, i, 1) - Layout::at(a, l, i, 1) * Layout::at(b, l, i, 0);
}

PyObject* cross(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"cross", 1, 2, 1, 2, {"other", "axis"}};
  PyObject* given[2];
  Axis axis;
  Operand other;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_axis(given[1], &axis) ||
      !other.parse_matrix(given[0], "cross: other")) {
    return nullptr;
  }
  const Block a = block_of(self);
  const Layout l = cross_layout(a, axis);
  if (!l.dimension) {
    PyErr_Format(PyExc_ValueError,
                 "cross requires a 2D or 3D vector or Nx2 or 2xN or Nx3 or 3xN matrix, not %zdx%zd with this axis",
                 a.rows, a.columns);
    return nullptr;
  }
  Block b;
  if (!fit_cross(l, a, other.block(), &b)) return nullptr;
  if (l.dimension == 3) {
    Ref made(new_matrix_like(a));
    if (made) cross_of_three(l, a, b, block_of(made.get()));
    return made.release();
  }
  if (l.single) return PyFloat_FromDouble(cross_of_two(l, a, b, 0));
  Ref made(l.across ? new_matrix(l.count, 1) : new_matrix(1, l.count));
  if (!made) return nullptr;
  double* to = as_matrix(made.get())->doubles->data();
  for (Py_ssize_t i = 0; i < l.count; ++i) to[i] = cross_of_two(l, a, b, i);
  return made.release();
}

bool need_plane(const char* method, const Block& b, const Layout& l) {
  if (l.dimension) return true;
  PyErr_Format(PyExc_ValueError, "%s requires a 2D vector or Nx2 or 2xN matrix, not %zdx%zd with this axis", method,
               b.rows, b.columns);
  return false;
}

PyObject* perpendicular(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"perpendicular", 0, 2, 0, 2, {"axis", "in_place"}};
  PyObject* given[2];
  Axis axis;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_axis(given[0], &axis)) return nullptr;
  const int in_place = parse_flag(given[1], false);
  const Block b = block_of(self);
  const Layout l = plane_layout(b, axis);
  if (in_place < 0 || !need_plane("perpendicular", b, l)) return nullptr;
  Ref made(Target{nullptr, in_place != 0}.make(self, b.rows, b.columns));
  if (!made) return nullptr;
  Block to = b;
  to.at = as_matrix(made.get())->doubles->data();
  for (Py_ssize_t i = 0; i < l.count; ++i) {
    const double x = Layout::at(b, l, i, 0), y = Layout::at(b, l, i, 1);
    Layout::at(to, l, i, 0) = -y;
    Layout::at(to, l, i, 1) = x;
  }
  return made.release();
}

PyObject* angle(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"angle", 0, 1, 0, 1, {"axis"}};
  PyObject* given[1];
  Axis axis;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_axis(given[0], &axis)) return nullptr;
  const Block b = block_of(self);
  const Layout l = plane_layout(b, axis);
  if (!need_plane("angle", b, l)) return nullptr;
  if (l.single) return PyFloat_FromDouble(std::atan2(Layout::at(b, l, 0, 1), Layout::at(b, l, 0, 0)));
  Ref made(l.across ? new_matrix(l.count, 1) : new_matrix(1, l.count));
  if (!made) return nullptr;
  double* to = as_matrix(made.get())->doubles->data();
  for (Py_ssize_t i = 0; i < l.count; ++i) to[i] = std::atan2(Layout::at(b, l, i, 1), Layout::at(b, l, i, 0));
  return made.release();
}

PyObject* normalize(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"normalize", 0, 2, 0, 2, {"axis", "in_place"}};
  PyObject* given[2];
  Axis axis;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_axis(given[0], &axis)) return nullptr;
  const int in_place = parse_flag(given[1], false);
  if (in_place < 0) return nullptr;
  const Block b = block_of(self);
  Ref made(Target{nullptr, in_place != 0}.make(self, b.rows, b.columns));
  if (!made) return nullptr;
  Block to = b;
  to.at = as_matrix(made.get())->doubles->data();
  Unlocked unlocked(static_cast<double>(b.size()));
  for (Py_ssize_t g = 0, groups = group_count(b, axis); g < groups; ++g) {
    const Group from = group_of(b, {}, axis, g);
    const Group into = group_of(to, {}, axis, g);
    double sum = 0;
    for (Py_ssize_t i = 0; i < from.count; ++i) sum += from[i] * from[i];
    const double length = std::sqrt(sum);
    for (Py_ssize_t i = 0; i < from.count; ++i) {
      const_cast<double*>(into.at)[i * into.step] = length == 0 ? from[i] : from[i] / length;
    }
  }
  return made.release();
}

// Square blocks, so that both sides stay in the cache.
void transpose_block(const Block& from, double* to) noexcept {
  constexpr Py_ssize_t kSide = 16;
  for (Py_ssize_t i = 0; i < from.rows; i += kSide) {
    for (Py_ssize_t j = 0; j < from.columns; j += kSide) {
      const Py_ssize_t i_end = std::min(i + kSide, from.rows), j_end = std::min(j + kSide, from.columns);
      for (Py_ssize_t y = j; y < j_end; ++y) {
        for (Py_ssize_t x = i; x < i_end; ++x) to[y * from.rows + x] = from(x, y);
      }
    }
  }
}

// The memory stays where it is (M1): through a copy unless nothing moves.
PyObject* transpose_in_place(PyObject* self) {
  MatrixObject* m = as_matrix(self);
  if (m->exports.load(std::memory_order_acquire) > 0) {
    PyErr_SetString(PyExc_BufferError,
                    "the matrix cannot be transposed in place while a buffer of it is in use (a memoryview or array "
                    "made from it): release that first, or use m.T");
    return nullptr;
  }
  const Block b = block_of(m);
  if (b.rows > 1 && b.columns > 1) {
    Doubles* before = m->doubles->copy();
    if (!before) return PyErr_NoMemory();
    {
      Unlocked unlocked(static_cast<double>(b.size()));
      Block from = b;
      from.at = before->data();
      transpose_block(from, b.at);
    }
    before->unref();
  }
  m->flipped.fetch_xor(1, std::memory_order_relaxed);
  return Py_NewRef(self);
}

PyObject* transpose(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"transpose", 0, 1, 0, 1, {"in_place"}};
  PyObject* given[1];
  if (!take_arguments(kSignature, args, n, kw, given)) return nullptr;
  const int in_place = parse_flag(given[0], false);
  if (in_place < 0) return nullptr;
  return in_place ? transpose_in_place(self) : matrix_transposed(self, nullptr);
}

}  // namespace

PyObject* matrix_transposed(PyObject* self, void*) {
  const Block b = block_of(self);
  Ref made(new_matrix(b.columns, b.rows));
  if (!made) return nullptr;
  Unlocked unlocked(static_cast<double>(b.size()));
  transpose_block(b, as_matrix(made.get())->doubles->data());
  return made.release();
}

PyMethodDef geometry_methods[] = {
    {"cross", BOC_FAST(cross),
     "cross($self, other, /, axis=None)\n--\n\nThe cross product of vectors of two numbers (a number each) or three."},
    {"normalize", BOC_FAST(normalize),
     "normalize($self, /, axis=None, in_place=False)\n--\n\nDivided by the length of the whole, or of each column or "
     "row; "
     "what has none stays."},
    {"perpendicular", BOC_FAST(perpendicular),
     "perpendicular($self, /, axis=None, in_place=False)\n--\n\n(-y, x) of each vector (x, y)."},
    {"angle", BOC_FAST(angle), "angle($self, /, axis=None)\n--\n\natan2(y, x) of each vector (x, y), in radians."},
    {"transpose", BOC_FAST(transpose),
     "transpose($self, /, in_place=False)\n--\n\nWith rows for columns; in place returns self."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
