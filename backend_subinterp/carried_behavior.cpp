#include "carried_behavior.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "capture_source.h"
#include "encoder.h"
#include "kept_recipes.h"
#include "moving_payload.h"
#include "py_backend.h"
#include "surroundings.h"

namespace boc::py {
namespace {

// What is captured, in order, with what to call each in an error.
class CaptureList {
 public:
  CaptureList() = default;
  CaptureList(const CaptureList&) = delete;
  CaptureList& operator=(const CaptureList&) = delete;
  ~CaptureList() {
    for (const One& one : all_) Py_DECREF(one.value);
  }

  // Steals `value`.
  bool take(PyObject* value, CaptureKind kind, Py_ssize_t index) {
    try {
      all_.push_back({value, kind, index});
      return true;
    } catch (const std::bad_alloc&) {
      Py_DECREF(value);
      PyErr_NoMemory();
      return false;
    }
  }
  bool empty() const noexcept { return all_.empty(); }
  // About how many bytes a copy in one interpreter would take: small ints, say, are much shorter on their way.
  Py_ssize_t weight() const noexcept {
    Py_ssize_t sum = 0;
    for (const One& one : all_) sum += weigh(one.value);
    return sum;
  }

  // All as one tuple, so with one memo: what two of them share is shared in the behavior too. Null with a TransferError
  // that names the one at fault.
  Encoded* pack(const CallPlan& plan) const {
    const auto count = static_cast<Py_ssize_t>(all_.size());
    Ref tuple(PyTuple_New(count));
    if (!tuple) return nullptr;
    for (Py_ssize_t i = 0; i < count; ++i) {
      PyTuple_SET_ITEM(tuple.get(), i, Py_NewRef(all_[static_cast<size_t>(i)].value));
    }
    Encoded* packed = encode(tuple.get());
    if (!packed) blame(plan);
    return packed;
  }

 private:
  struct One {
    PyObject* value;  // strong
    CaptureKind kind;
    Py_ssize_t index;
  };

  void blame(const CallPlan& plan) const {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return;
    Ref first(take_exception());
    for (const One& one : all_) {
      EncodedRef alone(encode(one.value));
      if (alone) continue;
      refuse_capture(plan, one.kind, one.index, one.value);
      return;
    }
    raise_exception(first.release());
    refuse_captures();  // each of them alone can be carried now
  }

  std::vector<One> all_;
};

int take_cells(CarriedBehavior& b, const CallPlan& plan, CaptureList& list) {
  PyObject* closure = reinterpret_cast<PyFunctionObject*>(plan.function)->func_closure;
  const Py_ssize_t cells = closure ? PyTuple_GET_SIZE(closure) : 0;
  for (Py_ssize_t i = 0; i < cells; ++i) {
    PyObject* content = PyCell_Get(PyTuple_GET_ITEM(closure, i));
    if (!content) {
      content = Py_NewRef(Py_NotImplemented);
      if (i < 64) b.empty_cells |= uint64_t{1} << i;
    }
    if (!list.take(content, CaptureKind::VARIABLE, i)) return -1;
  }
  b.cells = static_cast<uint32_t>(cells);
  return 0;
}

int take_captures_of(CarriedBehavior& b, CallPlan& plan, PyObject* const* extras, Py_ssize_t n) {
  CaptureList list;
  if (!plan.info && !list.take(Py_NewRef(plan.function), CaptureKind::CALLABLE, 0)) return -1;
  auto take = [&](PyObject* value, CaptureKind kind, Py_ssize_t index) { return list.take(value, kind, index); };
  if (each_argument(plan, extras, n, take) < 0) return -1;
  b.bound = plan.self ? 1 : 0;
  b.positional = static_cast<uint32_t>(n + plan.positional);
  b.keywords = static_cast<uint32_t>(plan.captures - plan.positional);
  if (plan.info && take_cells(b, plan, list) < 0) return -1;
  if (list.empty()) return 0;
  b.captures = list.pack(plan);
  if (!b.captures) return -1;
  return warn_if_large(plan, std::max(static_cast<Py_ssize_t>(b.captures->weight()), list.weight() / 2));
}

int fill(CarriedBehavior& b, CallPlan& plan, const Parameters& p, PyObject* const* extras, Py_ssize_t n) {
  for (Py_ssize_t i = 0; i < p.count; ++i) {
    const uint32_t before = b.cown_count;
    auto add = [&](PyObject* cown) {
      Payload* payload = payload_of(cown);
      payload->ref();
      b.cowns()[b.cown_count++] = payload;
    };
    if (add_item(b, p.items[i], add) < 0) return -1;
    const bool single = is_cown_object(inner_of(p.items[i]));
    b.counts()[b.parameters++] = single ? SINGLE : static_cast<int32_t>(b.cown_count - before);
  }
  if (plan.info) {
    if (warn_if_storing(plan) < 0 || refuse_imports(plan.function) < 0) return -1;
    b.recipe = recipe_of(reinterpret_cast<PyFunctionObject*>(plan.function), plan.info);
    if (!b.recipe) return -1;
    b.recipe->begin();
    b.site = b.recipe->site();
  }
  return take_captures_of(b, plan, extras, n);
}

}  // namespace

CarriedBehavior* make_carried(CallPlan& plan, const Parameters& p, PyObject* const* extras, Py_ssize_t n) {
  const size_t tail = p.requests * sizeof(Payload*) + static_cast<size_t>(p.count) * sizeof(int32_t);
  auto* b = allocate_behavior<CarriedBehavior>(tail, p.requests);
  if (!b) return nullptr;
  b->cown_capacity = static_cast<uint32_t>(p.requests);
  if (fill(*b, plan, p, extras, n) == 0) return b;
  PyObject* raised = take_exception();
  backend().unmake(*b);
  raise_exception(raised);
  return nullptr;
}

void clear_carried(CarriedBehavior& b) noexcept {
  if (b.captures) std::exchange(b.captures, nullptr)->unref();
  for (uint32_t i = 0; i < b.cown_count; ++i) {
    Payload* payload = std::exchange(b.cowns()[i], nullptr);
    if (payload && payload->unref()) backend().drop(payload);
  }
}

void let_go_carried(CarriedBehavior& b) noexcept {
  if (!b.recipe) return;
  b.recipe->end();
  std::exchange(b.recipe, nullptr)->unref();
}

}  // namespace boc::py
