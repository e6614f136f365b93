#include "live_behavior.h"

#include <utility>

#include "main_thread.h"
#include "py_backend.h"
#include "site.h"

namespace boc::py {
namespace {

// The behavior's parameter for one item, and its requests.
PyObject* open_item(LiveBehavior& b, PyObject* item) {
  PyObject* inner = inner_of(item);
  if (is_cown_object(inner)) {
    PyObject* given = nullptr;
    return add_item(b, item, [&](PyObject* cown) { given = Py_NewRef(cown); }) < 0 ? nullptr : given;
  }
  Ref list(PySequence_List(inner));  // each behavior gets a list of its own
  if (!list || add_item(b, item, [](PyObject*) {}) < 0) return nullptr;
  return list.release();
}

// What a pinned behavior takes along from the main thread stays there: it may be what cannot be copied.
bool stays_on_main(const LiveBehavior& b) noexcept {
  return b.lane == Lane::MAIN && on_main_thread();
}

int fill(LiveBehavior& b, CallPlan& plan, const Parameters& p, PyObject* const* extras, Py_ssize_t n) {
  PyObject** cowns = b.args + 1 + (plan.self ? 1 : 0);
  for (Py_ssize_t i = 0; i < p.count; ++i) {
    if (!(cowns[i] = open_item(b, p.items[i]))) return -1;
  }
  PyObject* self = nullptr;
  const Taking how = stays_on_main(b) ? Taking::REFERENCES : Taking::COPIES;
  if (take_captures(&plan, how, extras, n, &b.target, &self, cowns + p.count, cowns + p.count + n) < 0) return -1;
  if (plan.self) b.args[1] = self;
  b.kwnames = Py_XNewRef(plan.kwnames);
  b.positional = b.nargs - (plan.kwnames ? static_cast<uint32_t>(PyTuple_GET_SIZE(plan.kwnames)) : 0);
  if (plan.info) {
    b.code = Py_NewRef(PyFunction_GET_CODE(plan.function));
    b.site = site_of(plan.info, b.code);
  }
  return 0;
}

}  // namespace

LiveBehavior* make_live(CallPlan& plan, const Parameters& p, PyObject* const* extras, Py_ssize_t n) {
  const auto nargs = static_cast<size_t>((plan.self ? 1 : 0) + p.count + n + plan.captures);
  // args[0] and the first of the others: args[1] is part of the struct.
  auto* b = allocate_behavior<LiveBehavior>(nargs * sizeof(PyObject*), p.requests);
  if (!b) return nullptr;
  b->live = true;
  b->nargs = static_cast<uint32_t>(nargs);
  for (size_t i = 0; i <= nargs; ++i) b->args[i] = nullptr;
  if (fill(*b, plan, p, extras, n) == 0) return b;
  PyObject* raised = take_exception();
  backend().unmake(*b);
  raise_exception(raised);
  return nullptr;
}

PyObject* call_live(LiveBehavior& b) noexcept {
  return PyObject_Vectorcall(b.target, b.args + 1, b.positional | PY_VECTORCALL_ARGUMENTS_OFFSET, b.kwnames);
}

void clear_live(LiveBehavior& b) noexcept {
  auto give_up = [pinned = b.lane == Lane::MAIN](PyObject*& reference) {
    PyObject* object = std::exchange(reference, nullptr);
    if (pinned) {
      drop_on_main(object);  // Y3
    } else {
      Py_XDECREF(object);
    }
  };
  for (uint32_t i = 1; i <= b.nargs; ++i) give_up(b.args[i]);
  give_up(b.target);
  give_up(b.kwnames);
}

void let_go_live(LiveBehavior& b) noexcept {
  PyObject* code = std::exchange(b.code, nullptr);
  if (b.lane == Lane::MAIN) {
    drop_on_main(code);
  } else {
    Py_XDECREF(code);
  }
}

}  // namespace boc::py
