// Behaviors in C++ on the scheduler of Python's behaviors: the template of an extension module with pybind11.
//
// A histogram is a C++ object in a cown. Python has the cown, may schedule its own behaviors on it, and gives it back to
// the functions below; what is in it only C++ sees.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
// After pybind11: then functions take and return cowns, and pybind11's errors pass through behaviors.
#include <bocpy/when.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <numeric>

namespace boc = bocpy;
namespace py = pybind11;

namespace {

std::atomic<long> alive{0};  // one for all interpreters of the process

struct Histogram {
  std::array<std::uint64_t, 256> counts{};

  Histogram() { ++alive; }
  Histogram(const Histogram& other) : counts(other.counts) { ++alive; }
  Histogram& operator=(const Histogram&) = default;
  ~Histogram() { --alive; }

  void add(const Histogram& other) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  }
  std::uint64_t total() const { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }
};

using Cown = boc::cown<Histogram>;

void count_bytes(Histogram& h, const boc::value& text) {
  const py::object object = py::reinterpret_steal<py::object>(text.get());
  if (!py::isinstance<py::bytes>(object)) throw py::type_error("a histogram counts the bytes of a bytes object");
  for (const char byte : static_cast<std::string_view>(py::reinterpret_borrow<py::bytes>(object))) {
    ++h.counts[static_cast<unsigned char>(byte)];
  }
}

// Over a cown of ours and one of Python's: attached, in the worker's interpreter.
boc::cown<void> count(const Cown& into, const boc::python_cown& text) {
  return boc::when(into, boc::read(text)) << [](Histogram& h, boc::value& text) { count_bytes(h, text); };
}

// Changes values of Python's.
boc::cown<void> consume(const Cown& into, const std::vector<boc::python_cown>& texts) {
  return boc::when(into, texts) << [](Histogram& h, std::vector<boc::value>& texts) {
    for (const boc::value& text : texts) {
      count_bytes(h, text);
      text.set(py::none().ptr());
    }
  };
}

// Over cowns of ours alone: detached, so other threads run Python code meanwhile.
boc::cown<void> merge(const Cown& into, const std::vector<Cown>& parts) {
  return boc::when(into, boc::read(parts)) << [](Histogram& h, const std::vector<const Histogram*>& parts) {
    for (const Histogram* part : parts) h.add(*part);
  };
}

// The result is a number for Python, and a std::uint64_t for behaviors in C++.
boc::cown<std::uint64_t> total(const Cown& of) {
  return boc::when(boc::read(of)) << [](const Histogram& h) { return h.total(); };
}

boc::cown<std::uint64_t> add_totals(const boc::cown<std::uint64_t>& a, const boc::cown<std::uint64_t>& b) {
  return boc::when(boc::read(a), boc::read(b)) << [](const std::uint64_t& x, const std::uint64_t& y) { return x + y; };
}

// An object of Python's as the result.
boc::python_cown most_frequent(const Cown& of) {
  return boc::when(boc::read(of)) << [](const Histogram& h) {
    const auto found = std::max_element(h.counts.begin(), h.counts.end());
    const char byte = static_cast<char>(found - h.counts.begin());
    return py::make_tuple(py::bytes(&byte, 1), *found).release().ptr();
  };
}

// A behavior that schedules the next one, from a body that runs detached.
void add_again(const Cown& to, int times) {
  boc::when(to) << [to, times](Histogram& h) {
    ++h.counts[0];
    if (times > 1) add_again(to, times - 1);
  };
}

boc::cown<void> fail(const Cown& on) {
  return boc::when(on) << [](Histogram&) { throw std::out_of_range("no such byte"); };
}

}  // namespace

PYBIND11_MODULE(bocpy_histogram, m, py::mod_gil_not_used(), py::multiple_interpreters::per_interpreter_gil()) {
  if (!boc::import_runtime()) throw py::error_already_set();
  m.def("make", [] { return boc::make_cown<Histogram>(); }, "A cown with an empty histogram.");
  m.def("count", count, "Schedule: count the bytes of the value of the cown `text`.");
  m.def("consume", consume, "Schedule: count the bytes in the cowns `texts`, and leave None there.");
  m.def("merge", merge, "Schedule: add the histograms of `parts`.");
  m.def("total", total, "Schedule: how many bytes were counted.");
  m.def("add_totals", add_totals, "Schedule: the sum of two results of total().");
  m.def("most_frequent", most_frequent, "Schedule: the byte that was counted most often, and how often.");
  m.def("add_again", add_again, "Schedule: count a zero byte so many times, each in a behavior of its own.");
  m.def("fail", fail, "Schedule: what raises an IndexError.");
  m.def(
      "peek", [](const Cown& c, unsigned char byte) { return boc::held_to_read(c).counts[byte]; },
      "How often the byte was counted; the caller holds the cown.");
  m.def("reset", [](const Cown& c) { boc::held(c).counts.fill(0); }, "Forget all; the caller holds the cown to write.");
  m.def("alive", [] { return alive.load(); }, "How many histograms there are in the process.");
}
