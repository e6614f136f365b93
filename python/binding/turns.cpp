#include "turns.h"

#include <algorithm>
#include <new>

#include "copy.h"
#include "immutable.h"
#include "runtime.h"

namespace boc::py {
namespace {

struct Wanted {
  Payload* payload;
  bool reads;
};

// One block: the turn, its requests, and its shares in them. It keeps its cowns alive, as it may outlive the
// call that made it. Null with MemoryError.
Turn* make_turn(std::span<const Wanted> cowns) {
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
  for (const Wanted& w : cowns) {
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

// Until the scheduled turn holds its cowns. 0, or -1 with an error; the turn is abandoned then.
int await_turn(Turn& turn, double timeout, const char* what) {
  const double deadline = monotonic_now() + timeout;
  while (!turn.turn.ready()) {
    if (waits_for_own_hold(turn)) {
      PyErr_Format(
          PyExc_RuntimeError,
          "%s would wait for itself: the cown waits for a behavior that is queued behind a cown held by this "
          "thread. Release that first (leave its `with` block)",
          what);
      abandon(turn);
      return -1;
    }
    bool ready;
    {
      Detached detached;
      ready = turn.turn.wait_for(sleep_slice(deadline));
    }
    if (look_around() < 0) {
      abandon(turn);
      return -1;
    }
    if (!ready && monotonic_now() >= deadline) {
      abandon(turn);
      return raise_timeout(what, timeout);
    }
  }
  return 0;
}

int check_usable(Payload* payload, const char* what) {
  if (check_generation(payload) < 0 || refuse_in_behavior(what) < 0) return -1;
  if (payload->batch) {
    PyErr_Format(
        PyExc_RuntimeError,
        "%s on the result of a behavior whose batch is still open would wait for ever: it is scheduled when "
        "the `with batch()` block ends",
        what);
    return -1;
  }
  return 0;
}

void keep(Turn& turn) {
  for (Request& r : turn.acquired()) {
    if (r.duplicate()) continue;
    context().held.push_back({static_cast<Payload*>(r.cown), &turn, 1, r.reads()});
    ++turn.left;
  }
}

// Gives back one acquisition of a held cown.
void give_back(Held& held) noexcept {
  if (--held.depth) return;
  Turn* turn = held.turn;
  auto& all = context().held;
  all.erase(all.begin() + (&held - all.data()));
  if (--turn->left == 0) runtime().scheduler().finish(nullptr, *turn);
}

// This thread holds other cowns already: only what is free can be added without risking a deadlock.
int hold_free(const Wanted& wanted) {
  Turn* turn = make_turn({&wanted, 1});
  if (!turn) return -1;
  Scheduler& scheduler = runtime().scheduler();
  if (scheduler.try_schedule(nullptr, *turn)) {
    if (turn->turn.ready()) {
      keep(*turn);
      return 0;
    }
    abandon(*turn);
  } else {
    scheduler.discard(*turn);
  }
  PyErr_SetString(
      PyExc_RuntimeError,
      "this thread holds another cown, and this one is not free: waiting for it now could deadlock. Take "
      "several cowns at once with `with hold(a, b):`");
  return -1;
}

// Holds all of them, or none. 0, or -1 with an error.
int hold_all(std::span<const Wanted> cowns, double timeout, const char* what) {
  auto& held = context().held;
  if (held.empty()) {
    if (cowns.empty()) return 0;
    Turn* turn = make_turn(cowns);
    if (!turn) return -1;
    runtime().scheduler().schedule(nullptr, *turn);
    if (await_turn(*turn, timeout, what) < 0) return -1;
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
    while (i-- > 0) give_back(*context().find(cowns[i].payload));
    return -1;
  }
  return 0;
}

}  // namespace

PyObject* cown_acquire(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"timeout", nullptr};
  PyObject* timeout = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:acquire", const_cast<char**>(names), &timeout))
    return nullptr;
  double seconds = parse_timeout(timeout);
  if (seconds < 0) return nullptr;
  Wanted wanted{payload_of(self), false};
  if (check_usable(wanted.payload, "acquire()") < 0 || hold_all({&wanted, 1}, seconds, "acquire()") < 0)
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* cown_release(PyObject* self, PyObject*) {
  Payload* payload = payload_of(self);
  if (payload->generation != generation) Py_RETURN_NONE;  // held by the parent process, not by this one
  Held* held = context().find(payload);
  if (!held) {
    PyErr_SetString(PyExc_RuntimeError,
                    "release() of a cown that this thread does not hold: call acquire() first");
    return nullptr;
  }
  give_back(*held);
  Py_RETURN_NONE;
}

PyObject* cown_enter(PyObject* self, PyObject*) {
  Wanted wanted{payload_of(self), false};
  if (check_usable(wanted.payload, "`with cown:`") < 0) return nullptr;
  if (hold_all({&wanted, 1}, FOREVER, "`with cown:`") < 0) return nullptr;
  runtime().failures().look(*wanted.payload);
  return Py_NewRef(wanted.payload->value);
}

PyObject* cown_exit(PyObject* self, PyObject*) {
  Ref done(cown_release(self, nullptr));
  if (!done) return nullptr;
  Py_RETURN_FALSE;
}

namespace {

// The result while the caller holds the cown.
PyObject* result_of(Payload* payload, bool take) {
  if (payload->failed) {
    raise_stored(payload);
    return nullptr;
  }
  return take ? take_value(payload) : copy_value(payload->value);
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
  Wanted wanted{payload, !take};
  Turn* turn = make_turn({&wanted, 1});
  if (!turn) return nullptr;
  runtime().scheduler().schedule(nullptr, *turn);
  if (await_turn(*turn, seconds, "result()") < 0) return nullptr;
  PyObject* result = result_of(payload, take);
  PyObject* raised = result ? nullptr : take_exception();
  runtime().scheduler().finish(nullptr, *turn);
  if (raised) raise_exception(raised);
  return result;
}

PyObject* unwrap_cown(Payload* payload) {
  Context& c = context();
  if (c.current) {
    Request* r = c.current->find(payload);
    if (r && !r->reads()) return take_value(payload);
    if (!r) {
      access_to(payload);  // says why not
      return nullptr;
    }
  } else if (Held* held = c.find(payload)) {
    if (!held->reads) return take_value(payload);
  } else if (!payload->batch) {
    Wanted wanted{payload, false};
    Turn* turn = make_turn({&wanted, 1});
    if (!turn) return nullptr;
    Scheduler& scheduler = runtime().scheduler();
    if (!scheduler.try_schedule(nullptr, *turn)) {
      scheduler.discard(*turn);
    } else if (!turn->turn.ready()) {
      abandon(*turn);
    } else {
      PyObject* value = take_value(payload);
      PyObject* raised = value ? nullptr : take_exception();
      scheduler.finish(nullptr, *turn);
      if (raised) raise_exception(raised);
      return value;
    }
  }
  PyErr_SetString(
      PyExc_RuntimeError,
      "unwrap() while a behavior on this cown is still in flight (or another holds it): use result() or "
      "quiesce() first");
  return nullptr;
}

namespace {

struct HoldObject {
  PyObject_HEAD PyObject* cowns;  // tuple of cowns and read(cown)s, flattened
  PyObject* given;                // what `as` gets: tuple of cowns
  double timeout;
  bool entered;
};

HoldObject* hold_of(PyObject* o) noexcept {
  return reinterpret_cast<HoldObject*>(o);
}

// Adds an argument of hold() to both lists: a cown, read(cown), or a list or tuple of such.
int flatten(PyObject* argument, bool reads, PyObject* wanted, PyObject* given) {
  if (is_cown_object(argument)) {
    Ref pair(PyTuple_Pack(2, argument, reads ? Py_True : Py_False));
    return pair && PyList_Append(wanted, pair.get()) == 0 && PyList_Append(given, argument) == 0 ? 0 : -1;
  }
  if (Py_IS_TYPE(argument, read_type)) {
    return flatten(reinterpret_cast<ReadObject*>(argument)->inner, true, wanted, given);
  }
  if (PyList_Check(argument) || PyTuple_Check(argument)) {
    Ref items(PySequence_Tuple(argument));
    for (Py_ssize_t i = 0; items && i < PyTuple_GET_SIZE(items.get()); ++i) {
      if (flatten(PyTuple_GET_ITEM(items.get(), i), reads, wanted, given) < 0) return -1;
    }
    return items ? 0 : -1;
  }
  PyErr_Format(PyExc_TypeError, "hold() takes cowns, read(cown) and lists of cowns, not %.100s",
               Py_TYPE(argument)->tp_name);
  return -1;
}

PyObject* hold_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"timeout", nullptr};
  PyObject* timeout = Py_None;
  Ref none(PyTuple_New(0));
  if (!none ||
      !PyArg_ParseTupleAndKeywords(none.get(), kwargs, "|$O:hold", const_cast<char**>(names), &timeout)) {
    return nullptr;
  }
  double seconds = parse_timeout(timeout);
  if (seconds < 0) return nullptr;
  Ref wanted(PyList_New(0)), given(PyList_New(0));
  if (!wanted || !given) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) {
    if (flatten(PyTuple_GET_ITEM(args, i), false, wanted.get(), given.get()) < 0) return nullptr;
  }
  Ref cowns(PyList_AsTuple(wanted.get())), as(PyList_AsTuple(given.get()));
  if (!cowns || !as) return nullptr;
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  hold_of(self)->cowns = cowns.release();
  hold_of(self)->given = as.release();
  hold_of(self)->timeout = seconds;
  return self;
}

void hold_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_CLEAR(hold_of(self)->cowns);
  Py_CLEAR(hold_of(self)->given);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* hold_enter(PyObject* self, PyObject*) {
  HoldObject* hold = hold_of(self);
  if (hold->entered) {
    PyErr_SetString(PyExc_RuntimeError, "this hold() is entered already: make a new one for each `with`");
    return nullptr;
  }
  std::vector<Wanted> wanted;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(hold->cowns); ++i) {
    PyObject* pair = PyTuple_GET_ITEM(hold->cowns, i);
    Payload* payload = payload_of(PyTuple_GET_ITEM(pair, 0));
    const bool reads = PyTuple_GET_ITEM(pair, 1) == Py_True;
    if (check_usable(payload, "hold()") < 0) return nullptr;
    auto twin =
        std::find_if(wanted.begin(), wanted.end(), [&](const Wanted& w) { return w.payload == payload; });
    if (twin == wanted.end()) {
      wanted.push_back({payload, reads});
    } else {
      twin->reads = twin->reads && reads;  // asked for twice: the stronger mode
    }
  }
  if (wanted.empty() && refuse_in_behavior("hold()") < 0) return nullptr;
  if (hold_all(wanted, hold->timeout, "hold()") < 0) return nullptr;
  hold->entered = true;
  return Py_NewRef(hold->given);
}

PyObject* hold_exit(PyObject* self, PyObject*) {
  HoldObject* hold = hold_of(self);
  if (!hold->entered) {
    PyErr_SetString(PyExc_RuntimeError, "this hold() has not been entered");
    return nullptr;
  }
  hold->entered = false;
  std::vector<Payload*> done;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(hold->cowns); ++i) {
    Payload* payload = payload_of(PyTuple_GET_ITEM(PyTuple_GET_ITEM(hold->cowns, i), 0));
    if (payload->generation != generation || std::find(done.begin(), done.end(), payload) != done.end())
      continue;
    done.push_back(payload);
    if (Held* held = context().find(payload)) give_back(*held);
  }
  Py_RETURN_FALSE;
}

PyMethodDef hold_methods[] = {{"__enter__", hold_enter, METH_NOARGS, nullptr},
                              {"__exit__", hold_exit, METH_VARARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};
PyType_Slot hold_slots[] = {
    {Py_tp_doc, const_cast<char*>(
                    "hold(*cowns, timeout=None)\n--\n\nA context manager that holds several cowns at once, "
                    "as one request: cowns, read(cown)s and lists of them. Gives a tuple of the cowns.")},
    {Py_tp_new, reinterpret_cast<void*>(hold_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(hold_dealloc)},
    {Py_tp_methods, hold_methods},
    {0, nullptr}};
PyType_Spec hold_spec = {"bocpy.hold", sizeof(HoldObject), 0, Py_TPFLAGS_DEFAULT, hold_slots};

}  // namespace

int add_hold_type(PyObject* module) {
  PyTypeObject* type = make_type(module, &hold_spec, nullptr);
  return type ? PyModule_AddObjectRef(module, "hold", reinterpret_cast<PyObject*>(type)) : -1;
}

}  // namespace boc::py
