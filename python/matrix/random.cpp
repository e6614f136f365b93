// Random matrices: splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014), normal
// numbers by Marsaglia's polar method. Each thread has a stream of its own: what a behavior draws after its seed() does
// not depend on what others draw at the same time.
#include <cmath>
#include <cstdint>
#include <random>

#include "arguments.h"
#include "methods.h"

namespace boc::py {
namespace {

struct Stream {
  uint64_t state = 0;
  bool seeded = false;

  void seed(uint64_t value) noexcept {
    state = value;
    seeded = true;
  }
  uint64_t next() noexcept {
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }
  void normal_pair(double* first, double* second) noexcept {
    double x, y, s;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      s = x * x + y * y;
    } while (s >= 1 || s == 0);
    const double scale = std::sqrt(-2 * std::log(s) / s);
    *first = x * scale;
    *second = y * scale;
  }
};

constinit thread_local Stream stream_of_thread;

Stream& stream() {
  Stream& mine = stream_of_thread;
  if (!mine.seeded) {
    std::random_device device;
    mine.seed(uint64_t{device()} << 32 | device());
  }
  return mine;
}

struct Uniform {
  static constexpr Signature kSignature{"uniform", 2, 3, 0, 3, {"minval", "maxval", "size"}};
  static constexpr double kFirst = 0, kSecond = 1;
  static void fill(Stream& s, double low, double high, double* to, Py_ssize_t n) noexcept {
    for (Py_ssize_t i = 0; i < n; ++i) to[i] = low + (high - low) * s.uniform();
  }
};

struct Normal {
  static constexpr Signature kSignature{"normal", 2, 3, 0, 3, {"mean", "stddev", "size"}};
  static constexpr double kFirst = 0, kSecond = 1;
  // Each call begins a pair: what it gives depends on the state of the stream alone.
  static void fill(Stream& s, double mean, double deviation, double* to, Py_ssize_t n) noexcept {
    for (Py_ssize_t i = 0; i < n; i += 2) {
      double pair[2];
      s.normal_pair(&pair[0], &pair[1]);
      to[i] = mean + deviation * pair[0];
      if (i + 1 < n) to[i + 1] = mean + deviation * pair[1];
    }
  }
};

template <typename Kind>
PyObject* draw(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kw) {
  PyObject* given[3];
  if (!take_arguments(Kind::kSignature, args, n, kw, given)) return nullptr;
  double first = Kind::kFirst, second = Kind::kSecond;
  if (given[0] && !parse_number(given[0], Kind::kSignature.names[0], &first)) return nullptr;
  if (given[1] && !parse_number(given[1], Kind::kSignature.names[1], &second)) return nullptr;
  if (!given[2] || given[2] == Py_None) {
    double one;
    Kind::fill(stream(), first, second, &one, 1);
    return PyFloat_FromDouble(one);
  }
  Py_ssize_t rows, columns;
  if (!parse_size(given[2], Kind::kSignature.method, &rows, &columns)) return nullptr;
  Ref made(new_matrix(rows, columns));
  if (!made) return nullptr;
  Stream& mine = stream();
  double* to = as_matrix(made.get())->doubles->data();
  Unlocked unlocked(static_cast<double>(rows * columns));
  Kind::fill(mine, first, second, to, rows * columns);
  return made.release();
}

PyObject* seed(PyObject*, PyObject* value) {
  if (!PyIndex_Check(value)) {
    PyErr_Format(PyExc_TypeError, "seed() takes an int, not %.100s", Py_TYPE(value)->tp_name);
    return nullptr;
  }
  Ref number(PyNumber_Index(value));
  if (!number) return nullptr;
  const unsigned long long bits = PyLong_AsUnsignedLongLongMask(number.get());
  if (bits == static_cast<unsigned long long>(-1) && PyErr_Occurred()) return nullptr;
  stream_of_thread.seed(bits);
  Py_RETURN_NONE;
}

}  // namespace

PyMethodDef random_methods[] = {
    {"normal", BOC_FAST(draw<Normal>) | METH_CLASS,
     "normal($type, mean=0.0, stddev=1.0, /, size=None)\n--\n\nNormally distributed numbers; without a size one "
     "float."},
    {"uniform", BOC_FAST(draw<Uniform>) | METH_CLASS,
     "uniform($type, minval=0.0, maxval=1.0, /, size=None)\n--\n\nNumbers from minval up to maxval; without a size one "
     "float."},
    {"seed", seed, METH_O | METH_CLASS,
     "seed($type, value, /)\n--\n\nRestart this thread's stream of random numbers; the lowest 64 bits count."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
