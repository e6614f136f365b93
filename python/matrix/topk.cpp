// topk(): the k greatest or least numbers and where they were.
#include <algorithm>
#include <cmath>
#include <new>
#include <vector>

#include "arguments.h"
#include "methods.h"
#include "reductions.h"

namespace boc::py {
namespace {

struct Place {
  double value;
  Py_ssize_t index;
};

// A strict order whatever the numbers are: NaN last, equals by their place.
struct Before {
  bool largest;
  bool operator()(const Place& a, const Place& b) const noexcept {
    const bool a_nan = std::isnan(a.value), b_nan = std::isnan(b.value);
    if (a_nan != b_nan) return b_nan;
    if (!a_nan && a.value != b.value) return largest ? a.value > b.value : a.value < b.value;
    return a.index < b.index;
  }
};

// The best `k` in front, in order; what is missing is NaN at -1.
void best(const Group& g, Py_ssize_t k, bool largest, std::vector<Place>& places) {
  places.clear();
  for (Py_ssize_t i = 0; i < g.count; ++i) {
    if (g.has(i)) places.push_back({g[i], i});
  }
  const auto middle = places.begin() + std::min<Py_ssize_t>(k, static_cast<Py_ssize_t>(places.size()));
  std::partial_sort(places.begin(), middle, places.end(), Before{largest});
  places.resize(static_cast<size_t>(k), {NAN, -1});
}

PyObject* list_of_places(const Place* places, Py_ssize_t k) {
  Ref list(PyList_New(k));
  for (Py_ssize_t i = 0; list && i < k; ++i) {
    PyObject* number = PyLong_FromSsize_t(places[i].index);
    if (!number) return nullptr;
    PyList_SET_ITEM(list.get(), i, number);
  }
  return list.release();
}

struct Wanted {
  Py_ssize_t k;
  Axis axis;
  bool largest;
  bool as_matrix;
};

PyObject* answer(const Block& b, const Block& mask, const Wanted& w) {
  const bool down = w.axis == Axis::down;
  const Py_ssize_t groups = group_count(b, w.axis);
  Ref values(down ? new_matrix(w.k, groups) : new_matrix(groups, w.k));
  Ref where(!values ? nullptr : w.as_matrix ? new_matrix_like(block_of(values.get())) : PyList_New(groups));
  if (!where) return nullptr;
  std::vector<Place> places;
  for (Py_ssize_t g = 0; g < groups; ++g) {
    best(group_of(b, mask, w.axis, g), w.k, w.largest, places);
    for (Py_ssize_t i = 0; i < w.k; ++i) {
      const Py_ssize_t at = down ? i * groups + g : g * w.k + i;
      const Place& place = places[static_cast<size_t>(i)];
      as_matrix(values.get())->doubles->data()[at] = place.value;
      if (w.as_matrix) as_matrix(where.get())->doubles->data()[at] = static_cast<double>(place.index);
    }
    if (w.as_matrix) continue;
    PyObject* list = list_of_places(places.data(), w.k);
    if (!list) return nullptr;
    PyList_SET_ITEM(where.get(), g, list);
  }
  if (!w.as_matrix && w.axis == Axis::all) where = Ref(Py_NewRef(PyList_GET_ITEM(where.get(), 0)));
  return PyTuple_Pack(2, values.get(), where.get());
}

PyObject* topk(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  static constexpr Signature kSignature{"topk", 0, 5, 1, 5, {"k", "axis", "largest", "where", "as_matrix"}};
  PyObject* given[5];
  Wanted w;
  const Block b = block_of(self);
  Block mask;
  if (!take_arguments(kSignature, args, n, kw, given) || !parse_index(given[0], &w.k) ||
      !parse_axis(given[1], &w.axis) || !parse_mask(given[3], b, &mask)) {
    return nullptr;
  }
  const int largest = parse_flag(given[2], true);
  const int matrix = largest < 0 ? -1 : parse_flag(given[4], false);
  if (matrix < 0) return nullptr;
  w.largest = largest != 0;
  w.as_matrix = matrix != 0;
  const Py_ssize_t most = group_of(b, {}, w.axis, 0).count;
  if (w.k < 1) {
    PyErr_Format(PyExc_ValueError, "k must be a positive integer, not %zd", w.k);
    return nullptr;
  }
  if (w.k > most) {
    PyErr_Format(PyExc_ValueError, "k (%zd) cannot exceed the length of the reduced axis (%zd)", w.k, most);
    return nullptr;
  }
  try {
    return answer(b, mask, w);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

}  // namespace

PyMethodDef topk_methods[] = {{"topk", BOC_FAST(topk),
                               "topk($self, /, k, axis=None, largest=True, where=None, as_matrix=False)\n--\n\nThe k "
                               "greatest (or least) numbers in "
                               "order, and where they were."},
                              {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
