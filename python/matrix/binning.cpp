// bin() and digitize(): in which interval each number lies.
#include <algorithm>
#include <cmath>
#include <new>
#include <vector>

#include "arguments.h"
#include "methods.h"
#include "operand.h"

namespace boc::py {
namespace {

bool parse_bounds(PyObject* o, double* low, double* high) {
  if (!PyTuple_Check(o) && !PyList_Check(o)) {
    PyErr_Format(PyExc_TypeError, "bounds must be a (min, max) pair, not %.100s", Py_TYPE(o)->tp_name);
    return false;
  }
  Ref pair(PySequence_Tuple(o));
  if (!pair) return false;
  if (PyTuple_GET_SIZE(pair.get()) != 2) {
    PyErr_SetString(PyExc_ValueError, "bounds must be a (min, max) pair of length 2");
    return false;
  }
  if (!parse_number(PyTuple_GET_ITEM(pair.get(), 0), "bounds: min", low) ||
      !parse_number(PyTuple_GET_ITEM(pair.get(), 1), "bounds: max", high)) {
    return false;
  }
  if (!std::isfinite(*low) || !std::isfinite(*high)) {
    PyErr_SetString(PyExc_ValueError, "bounds values must be finite");
    return false;
  }
  if (*high < *low) {
    PyErr_SetString(PyExc_ValueError, "bounds max must be >= min");
    return false;
  }
  return true;
}

// The range of the finite numbers; 0 and 0 if there are none.
void finite_range(const Block& b, double* low, double* high) noexcept {
  bool any = false;
  *low = *high = 0;
  for (Py_ssize_t i = 0; i < b.size(); ++i) {
    const double x = b.at[i];
    if (!std::isfinite(x)) continue;
    *low = any ? std::min(*low, x) : x;
    *high = any ? std::max(*high, x) : x;
    any = true;
  }
}

struct Bins {
  Py_ssize_t count;
  double low, high;
  bool right;  // the upper edge belongs to the interval

  double of(double x) const noexcept {
    if (std::isnan(x)) return -1;
    const double last = static_cast<double>(count - 1);
    // Halves: the difference of two doubles may overflow.
    const double width = high / 2 - low / 2;
    if (x <= low || !(width > 0)) return 0;
    if (x >= high) return last;
    const double place = (x / 2 - low / 2) / width * static_cast<double>(count);
    const double index = right ? std::ceil(place) - 1 : std::floor(place);
    return index < 0 ? 0 : index > last ? last : index;
  }
};

PyObject* bin(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"bin", 0, 1, 1, 5, {"bins", "bounds", "right", "in_place", "out"}};
  PyObject* given[5];
  Target target;
  Bins bins{};
  const Block b = block_of(self);
  if (!take_arguments(kSignature, args, n, kw, given) || !Target::parse(given[3], given[4], &target) ||
      !parse_index(given[0], &bins.count)) {
    return nullptr;
  }
  const int right = parse_flag(given[2], false);
  if (right < 0) return nullptr;
  bins.right = right != 0;
  if (bins.count < 1) {
    PyErr_Format(PyExc_ValueError, "bins must be >= 1, not %zd", bins.count);
    return nullptr;
  }
  if (given[1] && given[1] != Py_None) {
    if (!parse_bounds(given[1], &bins.low, &bins.high)) return nullptr;
  } else {
    finite_range(b, &bins.low, &bins.high);
  }
  Ref made(target.make(self, b.rows, b.columns));
  if (!made) return nullptr;
  double* to = as_matrix(made.get())->doubles->data();
  Unlocked unlocked(static_cast<double>(b.size()));
  for (Py_ssize_t i = 0; i < b.size(); ++i) to[i] = bins.of(b.at[i]);
  return made.release();
}

// A copy: the search must not see them change. False with an error.
bool take_edges(const Block& b, std::vector<double>* edges) {
  if (b.rows != 1 && b.columns != 1) {
    PyErr_Format(PyExc_ValueError, "edges must be a vector, not %zdx%zd", b.rows, b.columns);
    return false;
  }
  edges->resize(static_cast<size_t>(b.size()));
  copy_block(b, edges->data());
  for (size_t i = 0; i < edges->size(); ++i) {
    if (std::isnan((*edges)[i]) || (i > 0 && !((*edges)[i - 1] < (*edges)[i]))) {
      PyErr_SetString(PyExc_ValueError, "edges must be strictly increasing and non-NaN");
      return false;
    }
  }
  return true;
}

PyObject* digitize_by(PyObject* self, const std::vector<double>& edges, bool right, const Target& target) {
  const Block b = block_of(self);
  Ref made(target.make(self, b.rows, b.columns));
  if (!made) return nullptr;
  double* to = as_matrix(made.get())->doubles->data();
  Unlocked unlocked(static_cast<double>(b.size()));
  for (Py_ssize_t i = 0; i < b.size(); ++i) {
    const double x = b.at[i];
    const auto place =
        right ? std::lower_bound(edges.begin(), edges.end(), x) : std::upper_bound(edges.begin(), edges.end(), x);
    to[i] = std::isnan(x) ? -1 : static_cast<double>(place - edges.begin());
  }
  return made.release();
}

PyObject* digitize(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"digitize", 0, 1, 1, 4, {"edges", "right", "in_place", "out"}};
  PyObject* given[4];
  Target target;
  Operand operand;
  if (!take_arguments(kSignature, args, n, kw, given) || !Target::parse(given[2], given[3], &target) ||
      !operand.parse_matrix(given[0], "edges")) {
    return nullptr;
  }
  const int right = parse_flag(given[1], false);
  if (right < 0) return nullptr;
  try {
    std::vector<double> edges;
    return take_edges(operand.block(), &edges) ? digitize_by(self, edges, right, target) : nullptr;
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

}  // namespace

PyMethodDef binning_methods[] = {
    {"bin", BOC_FAST(bin),
     "bin($self, /, bins, *, bounds=None, right=False, in_place=False, out=None)\n--\n\nIn which of so many equal "
     "intervals between the bounds (the least and greatest finite number) each number lies; NaN: -1."},
    {"digitize", BOC_FAST(digitize),
     "digitize($self, /, edges, *, right=False, in_place=False, out=None)\n--\n\nHow many edges are not greater (with "
     "right: less) than each number; NaN: -1."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
