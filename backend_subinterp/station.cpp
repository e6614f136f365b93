#include "station.h"

#include <algorithm>
#include <new>
#include <utility>

#include "boc/worker.h"
#include "carry_bridge.h"
#include "main_thread.h"
#include "py_backend.h"
#include "recipe.h"
#include "site.h"
#include "xidata.h"

namespace boc::py {
namespace {

// The names of the keyword-only parameters as a new tuple; null without an error if there are none.
PyObject* keyword_names_of(PyObject* code) noexcept {
  auto* c = reinterpret_cast<PyCodeObject*>(code);
  if (!c->co_kwonlyargcount) return nullptr;
  Ref names(PyObject_GetAttrString(code, "co_varnames"));
  PyObject* wanted =
      names ? PyTuple_GetSlice(names.get(), c->co_argcount, c->co_argcount + c->co_kwonlyargcount) : nullptr;
  PyErr_Clear();
  return wanted;
}

}  // namespace

// A sleeper is woken for the first of many: how much memory hangs on an object cannot be seen from here.
void Station::announce() noexcept {
  // Release: partner of the acquire in has_errands().
  if (!errands_.exchange(true, acq_rel) && worker_) worker_->nudge();
}

void Station::drop_later(PyObject* value) noexcept {
  {
    std::lock_guard guard(mutex_);
    if (ended()) return;  // it went with its interpreter
    try {
      dropped_.push_back({value, nullptr, false});
    } catch (const std::bad_alloc&) {
      return;  // lost, but nothing breaks
    }
  }
  announce();
}

void Station::report_later(PyObject* error, Site* origin) noexcept {
  {
    std::lock_guard guard(mutex_);
    if (ended()) return;
    keep_site(origin);
    try {
      dropped_.push_back({error, origin, true});
    } catch (const std::bad_alloc&) {
      return;
    }
  }
  announce();
}

void Station::forget_recipe(uint64_t id) noexcept {
  {
    std::lock_guard guard(mutex_);
    if (ended()) return;
    try {
      forgotten_.push_back(id);
    } catch (const std::bad_alloc&) {
      return;
    }
  }
  announce();
}

bool Station::post(Fetch& fetch) noexcept {
  {
    std::lock_guard guard(mutex_);
    if (ended()) return false;
    try {
      mail_.push_back(&fetch);
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  announce();
  return true;
}

bool Station::withdraw(Fetch& fetch) noexcept {
  std::lock_guard guard(mutex_);
  return std::erase(mail_, &fetch) != 0;
}

bool Station::admit() noexcept {
  std::lock_guard guard(mutex_);
  if (closed_to_visitors_) return false;
  ++visitors_;
  return true;
}

void Station::leave() noexcept {
  std::lock_guard guard(mutex_);
  if (--visitors_ == 0) visitors_left_.notify_all();
}

void Station::close_to_visitors() noexcept {
  PyThreadState* state = PyEval_SaveThread();
  {
    std::unique_lock lock(mutex_);
    closed_to_visitors_ = true;
    visitors_left_.wait(lock, [&] { return visitors_ == 0; });
  }
  PyEval_RestoreThread(state);
}

void Station::serve_mail() noexcept {
  for (;;) {
    Fetch* fetch = nullptr;
    {
      std::lock_guard guard(mutex_);
      if (mail_.empty()) return;
      fetch = mail_.front();
      mail_.erase(mail_.begin());
    }
    const bool before = std::exchange(update_waits_for_thread, update_waits_for_thread || fetch->for_update);
    if (fetch->payload->value && fetch->payload->home == &home_) {
      encode_resident(*fetch->payload, fetch->payload->value, fetch->keep);
    }
    update_waits_for_thread = before;
    PyErr_Clear();
    fetch->parker.unpark();
  }
}

void Station::drop_listed() noexcept {
  std::vector<Dropped> dropped;
  std::vector<uint64_t> forgotten;
  {
    std::lock_guard guard(mutex_);
    dropped.swap(dropped_);
    // The functions in main are for pinned behaviors, which only its main thread runs.
    if (worker_ || on_main_thread()) forgotten.swap(forgotten_);
  }
  if (dropped.empty() && forgotten.empty()) return;
  PyObject* raised = take_exception();
  for (const Dropped& one : dropped) {
    if (one.report) {
      backend().failures().report(one.value, one.origin);
      let_go_site(one.origin);
    }
    Py_DECREF(one.value);
    PyErr_Clear();
  }
  drop_templates(forgotten);
  raise_exception(raised);
}

void Station::run_errands() noexcept {
  errands_.store(false, seq_cst);  // before the lists are looked at: what is posted later announces itself again
  serve_mail();
  drop_listed();
  xi_drain();
  // Cowns that died in a destructor here.
  backend().drop_dead(context());
}

const Template* Station::find_template(Recipe& recipe) {
  if (last_id_ == recipe.id()) return last_;
  auto at = templates_.find(recipe.id());
  if (at == templates_.end()) {
    PyObject* function = unpack_function(*recipe.bytes());
    if (!function) return nullptr;
    adopt_template(recipe, function);
    Py_DECREF(function);
    at = templates_.find(recipe.id());
    if (at == templates_.end()) {
      PyErr_NoMemory();
      return nullptr;
    }
  }
  last_id_ = recipe.id();
  return last_ = &at->second;
}

void Station::adopt_template(Recipe& recipe, PyObject* function) {
  Template made{Py_NewRef(function), nullptr};
  if (PyFunction_Check(function)) made.keywords = keyword_names_of(PyFunction_GET_CODE(function));
  bool added = false;
  try {
    added = templates_.emplace(recipe.id(), made).second;
  } catch (const std::bad_alloc&) {
  }
  if (added) {
    recipe.made_in(home_);
    return;
  }
  Py_DECREF(made.function);
  Py_XDECREF(made.keywords);
}

void Station::drop_templates(const std::vector<uint64_t>& ids) noexcept {
  for (uint64_t id : ids) {
    auto at = templates_.find(id);
    if (at == templates_.end()) continue;
    const Template dead = at->second;
    if (last_id_ == id) last_id_ = 0;
    templates_.erase(at);
    Py_XDECREF(dead.keywords);
    Py_DECREF(dead.function);
  }
}

void Station::list_resident(MovingPayload& payload) noexcept {
  std::lock_guard guard(residents_lock_);
  payload.at.previous = nullptr;
  payload.at.next = residents_;
  if (residents_) residents_->at.previous = &payload;
  residents_ = &payload;
  payload.listed = true;
}

PyObject* Station::take_resident(MovingPayload& payload, const PyObject* expected) noexcept {
  std::lock_guard guard(residents_lock_);
  if (!payload.value || (expected && payload.value != expected)) return nullptr;
  unlist(payload);
  return std::exchange(payload.value, nullptr);
}

bool Station::postpone(MovingPayload& payload) noexcept {
  if (&payload != encoding_) return false;
  encoding_dies_ = true;
  return true;
}

bool Station::dies_later(MovingPayload& payload) noexcept {
  std::lock_guard guard(residents_lock_);
  return postpone(payload);
}

bool Station::may_die(MovingPayload& payload) noexcept {
  std::lock_guard guard(residents_lock_);
  if (postpone(payload)) return false;
  unlist(payload);
  return true;
}

void Station::unlist(MovingPayload& payload) noexcept {
  if (!std::exchange(payload.listed, false)) return;
  if (payload.at.next) payload.at.next->at.previous = payload.at.previous;
  (payload.at.previous ? payload.at.previous->at.next : residents_) = payload.at.next;
  payload.at.previous = payload.at.next = nullptr;
}

void Station::encode_residents() noexcept {
  for (;;) {
    MovingPayload* payload;
    Ref value;  // the payload might be garbage together with it, and be collected meanwhile
    {
      std::lock_guard guard(residents_lock_);
      payload = encoding_ = residents_;
      if (!payload) return;
      payload->at_end.store(this, relaxed);
      value = Ref(Py_NewRef(payload->value));
    }
    if (!encode_resident(*payload, value.get(), false)) {
      PyErr_Clear();
      Py_XDECREF(take_resident(*payload, value.get()));  // lost
    }
    bool dies;
    {
      std::lock_guard guard(residents_lock_);
      payload->at_end.store(nullptr, relaxed);
      encoding_ = nullptr;
      dies = std::exchange(encoding_dies_, false);
    }
    if (dies) backend().drop(payload);
  }
}

void Station::end() noexcept {
  run_errands();
  close_to_visitors();
  encode_residents();
  std::vector<uint64_t> all;
  for (auto& one : templates_) all.push_back(one.first);
  drop_templates(all);
  run_errands();
  std::lock_guard guard(mutex_);
  ended_.store(true, release);
}

}  // namespace boc::py
