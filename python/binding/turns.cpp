#include "turns.h"

#include <algorithm>
#include <new>

#include "left_behind.h"
#include "runtime.h"

namespace boc::py {
namespace {

// One block: the turn, its requests, and its shares in them. It keeps its cowns alive, as it may outlive the
// call that made it. Null with MemoryError.
Turn* make_turn(std::span<const Claim> cowns) {
  constexpr size_t header = (sizeof(Turn) + alignof(Request) - 1) / alignof(Request) * alignof(Request);
  const size_t shares = cowns.size() > 1 ? cowns.size() : 0;
  const size_t bytes = header + cowns.size() * sizeof(Request) + shares * sizeof(Waiter::Share);
  void* block = allocate_block(bytes);
  if (!block) return nullptr;
  auto* turn = new (block) Turn;
  turn->bytes = static_cast<uint32_t>(bytes);
  turn->lane = Lane::WAITER;
  turn->waiter = &turn->turn;
  turn->requests = reinterpret_cast<Request*>(reinterpret_cast<char*>(turn) + header);
  turn->request_count = static_cast<uint32_t>(cowns.size());
  Request* at = turn->requests;
  for (const Claim& w : cowns) {
    w.payload->ref();
    new (at++) Request(w.payload, turn, w.reads ? uint32_t{Request::READ} : 0);
  }
  prepare(*turn);
  if (shares) turn->turn.shares = reinterpret_cast<Waiter::Share*>(at);
  for (size_t i = 0; i < shares; ++i) new (turn->turn.shares + i) Waiter::Share;
  return turn;
}

bool is_the_turn(Behavior& waiting, void* turn) {
  return &waiting == turn;
}

bool waits_for_own_hold(Turn& turn) {
  for (Held& h : context().held) {
    if (runtime().scheduler().blocks(*h.turn, is_the_turn, &turn)) return true;
  }
  return false;
}

// Gives up: the turn belongs to the queues afterwards, or, if it was granted just now, is passed on.
void abandon(Turn& turn) noexcept {
  if (!runtime().scheduler().abandon(turn)) runtime().scheduler().finish(nullptr, turn);
}

// Until the scheduled turn holds its cowns: 1. 0: the time is over, -1: an error; the turn is to be abandoned then.
int sleep_until_ready(Turn& turn, double timeout, const char* what) {
  const double deadline = monotonic_now() + timeout;
  MainWait main_wait([](void* waiter) noexcept { static_cast<Waiter*>(waiter)->nudge(); }, &turn.turn);
  while (!turn.turn.ready()) {
    end_left_behind();
    if (main_wait.run_until([&] { return turn.turn.ready(); }, deadline) < 0) return -1;
    if (waits_for_own_hold(turn)) {
      PyErr_Format(PyExc_RuntimeError,
                   "%s would wait for itself: the cown waits for a behavior that is queued behind a cown held by this "
                   "thread. Release that first (leave its `with` block)",
                   what);
      return -1;
    }
    if (!turn.turn.ready() && refuse_on_resting_worker(what) < 0) return -1;
    if (!turn.turn.ready() && !main_wait.work()) {
      Detached detached;
      turn.turn.wait_for(sleep_slice(deadline));
    }
    if (look_around() < 0) return -1;
    if (!turn.turn.ready() && monotonic_now() >= deadline) return 0;
  }
  return 1;
}

// take_turn() for any number of cowns.
Turn* take_turns(std::span<const Claim> cowns, double timeout, const char* what) {
  Turn* turn = make_turn(cowns);
  if (!turn) return nullptr;
  runtime().scheduler().schedule(nullptr, *turn);
  if (sleep_until_ready(*turn, timeout, what) <= 0) {
    abandon(*turn);
    return nullptr;
  }
  if (backend().run_main_errands() == 0) return turn;
  finish_turn(*turn);
  return nullptr;
}

void keep(Turn& turn) {
  for (Request& r : turn.acquired()) {
    if (r.duplicate()) continue;
    context().held.push_back({static_cast<Payload*>(r.cown), &turn, 1, r.reads()});
    ++turn.left;
  }
}

// This thread holds other cowns already: only what is free can be added without risking a deadlock.
int hold_free(const Claim& claim) {
  if (Turn* turn = try_turn(claim)) {
    keep(*turn);
    return 0;
  }
  if (PyErr_Occurred()) return -1;
  PyErr_SetString(PyExc_RuntimeError,
                  "this thread holds another cown, and this one is not free: waiting for it now could deadlock. Take "
                  "several cowns at once with `with hold(a, b):`");
  return -1;
}

}  // namespace

Turn* take_turn(const Claim& cown, double timeout, const char* what) {
  return take_turns({&cown, 1}, timeout, what);
}

Turn* try_turn(const Claim& cown) {
  Turn* turn = make_turn({&cown, 1});
  if (!turn) return nullptr;
  Scheduler& scheduler = runtime().scheduler();
  if (!scheduler.try_schedule(nullptr, *turn)) {
    scheduler.discard(*turn);
    return nullptr;
  }
  if (turn->turn.ready()) return turn;
  abandon(*turn);
  return nullptr;
}

void finish_turn(Turn& turn) noexcept {
  PyObject* raised = take_exception();
  runtime().scheduler().finish(nullptr, turn);
  raise_exception(raised);
}

int check_usable(Payload* payload, const char* what) {
  end_left_behind();
  if (check_generation(payload) < 0 || refuse_in_behavior(what) < 0) return -1;
  if (payload->pinned && refuse_off_main(what) < 0) return -1;
  if (payload->batch.load(relaxed)) {
    PyErr_Format(PyExc_RuntimeError,
                 "%s on the result of a behavior whose batch is still open would wait for ever: it is scheduled when "
                 "the `with batch()` block ends",
                 what);
    return -1;
  }
  return 0;
}

int give_back(Held& held) noexcept {
  if (--held.depth) return 0;
  Turn* turn = held.turn;
  const int settled = held.reads ? 0 : backend().end_hold(*held.payload);
  PyObject* raised = take_exception();
  auto& all = context().held;
  all.erase(all.begin() + (&held - all.data()));
  if (--turn->left == 0) runtime().scheduler().finish(nullptr, *turn);
  raise_exception(raised);
  return settled;
}

int hold_all(std::span<const Claim> cowns, double timeout, const char* what) {
  auto& held = context().held;
  if (held.empty()) {
    if (cowns.empty()) return 0;
    Turn* turn = take_turns(cowns, timeout, what);
    if (!turn) return PyErr_Occurred() ? -1 : raise_timeout(what, timeout);
    keep(*turn);
    return 0;
  }
  for (size_t i = 0; i < cowns.size(); ++i) {
    Held* mine = context().find(cowns[i].payload);
    if (mine && mine->reads && !cowns[i].reads) {
      PyErr_SetString(PyExc_RuntimeError,
                      "this thread holds the cown to read only; release it before you ask for more");
    } else if (mine) {
      ++mine->depth;
      continue;
    } else if (hold_free(cowns[i]) == 0) {
      continue;
    }
    PyObject* raised = take_exception();
    while (i-- > 0) {
      if (give_back(*context().find(cowns[i].payload)) < 0) PyErr_Clear();  // nothing was changed
    }
    raise_exception(raised);
    return -1;
  }
  return 0;
}

PyObject* cown_acquire(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"timeout", nullptr};
  PyObject* timeout = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:acquire", const_cast<char**>(names), &timeout)) return nullptr;
  double seconds = parse_timeout(timeout);
  if (seconds < 0) return nullptr;
  Claim claim{payload_of(self), false};
  if (check_usable(claim.payload, "acquire()") < 0 || hold_all({&claim, 1}, seconds, "acquire()") < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* cown_release(PyObject* self, PyObject*) {
  Payload* payload = payload_of(self);
  if (payload->generation != generation) Py_RETURN_NONE;  // held by the parent process, not by this one
  Held* held = context().find(payload);
  if (!held) {
    PyErr_SetString(PyExc_RuntimeError, "release() of a cown that this thread does not hold: call acquire() first");
    return nullptr;
  }
  if (give_back(*held) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* cown_enter(PyObject* self, PyObject*) {
  Claim claim{payload_of(self), false};
  if (check_usable(claim.payload, "`with cown:`") < 0) return nullptr;
  if (hold_all({&claim, 1}, FOREVER, "`with cown:`") < 0) return nullptr;
  runtime().failures().look(*claim.payload);
  PyObject* value = value_of(*claim.payload, true);
  if (!value) {
    PyObject* raised = take_exception();
    if (give_back(*context().find(claim.payload)) < 0) PyErr_Clear();
    raise_exception(raised);
  }
  return value;
}

PyObject* cown_exit(PyObject* self, PyObject*) {
  Ref done(cown_release(self, nullptr));
  if (!done) return nullptr;
  Py_RETURN_FALSE;
}

namespace {

// The result while the caller holds the cown.
PyObject* result_of(Payload* payload, bool take) {
  if (payload->failed.load(relaxed)) {
    raise_stored(payload, take);
    return nullptr;
  }
  Carrying carrying;
  return take ? take_value(payload) : backend().copy_out(*payload);
}

}  // namespace

PyObject* cown_result(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"timeout", "take", nullptr};
  PyObject* timeout = Py_None;
  int take = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$p:result", const_cast<char**>(names), &timeout, &take)) {
    return nullptr;
  }
  double seconds = parse_timeout(timeout);
  if (seconds < 0) return nullptr;
  Payload* payload = payload_of(self);
  if (check_usable(payload, "result()") < 0) return nullptr;
  if (Held* held = context().find(payload)) {
    if (take && held->reads) {
      PyErr_SetString(PyExc_RuntimeError, "result(take=True) on a cown that this thread holds to read only");
      return nullptr;
    }
    return result_of(payload, take);
  }
  Turn* turn = take_turn({payload, !take}, seconds, "result()");
  if (!turn) {
    if (!PyErr_Occurred()) raise_timeout("result()", seconds);
    return nullptr;
  }
  PyObject* result = result_of(payload, take);
  finish_turn(*turn);
  return result;
}

PyObject* unwrap_cown(Payload* payload) {
  Context& c = context();
  if (c.current) {
    Request* r = c.current->find(payload);
    if (r && !r->reads()) return take_value(payload);
    if (!r && !payload->pinned) {
      access_to(payload);  // says why not
      return nullptr;
    }
  } else if (Held* held = c.find(payload)) {
    if (!held->reads) return take_value(payload);
  } else if (!payload->batch.load(relaxed)) {
    if (Turn* turn = try_turn({payload, false})) {
      Carrying carrying;
      PyObject* value = take_value(payload);
      finish_turn(*turn);
      return value;
    }
    if (PyErr_Occurred()) return nullptr;
  }
  PyErr_SetString(PyExc_RuntimeError,
                  "unwrap() while a behavior on this cown is still in flight (or another holds it): use result() or "
                  "quiesce() first");
  return nullptr;
}

}  // namespace boc::py
