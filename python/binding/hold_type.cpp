// hold(*cowns, timeout=None): several cowns at once, as one request.
#include "hold_type.h"

#include <algorithm>
#include <vector>

#include "runtime.h"
#include "turns.h"

namespace boc::py {
namespace {

struct HoldObject {
  PyObject_HEAD PyObject* cowns;  // tuple of cowns and read(cown)s, flattened
  PyObject* given;                // what `as` gets: tuple of cowns
  double timeout;
  atomic<unsigned long> thread;  // that has entered it; 0: none
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
  if (is_read_object(argument)) {
    return flatten(inner_of(argument), true, wanted, given);
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
  if (!none || !PyArg_ParseTupleAndKeywords(none.get(), kwargs, "|$O:hold", const_cast<char**>(names), &timeout)) {
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

// What is to be held, each cown once. -1 with an error if this thread may not hold one of them.
int find_claims(HoldObject* hold, std::vector<Claim>& claims) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(hold->cowns); ++i) {
    PyObject* pair = PyTuple_GET_ITEM(hold->cowns, i);
    Payload* payload = payload_of(PyTuple_GET_ITEM(pair, 0));
    const bool reads = PyTuple_GET_ITEM(pair, 1) == Py_True;
    if (check_usable(payload, "hold()") < 0) return -1;
    auto twin = std::find_if(claims.begin(), claims.end(), [&](const Claim& w) { return w.payload == payload; });
    if (twin == claims.end()) {
      claims.push_back({payload, reads});
    } else {
      twin->reads = twin->reads && reads;  // asked for twice: the stronger mode
    }
  }
  return claims.empty() ? refuse_in_behavior("hold()") : 0;
}

PyObject* hold_enter(PyObject* self, PyObject*) {
  HoldObject* hold = hold_of(self);
  unsigned long none = 0;
  if (!hold->thread.compare_exchange_strong(none, PyThread_get_thread_ident())) {
    PyErr_SetString(PyExc_RuntimeError, "this hold() is entered already: make a new one for each `with`");
    return nullptr;
  }
  std::vector<Claim> claims;
  if (find_claims(hold, claims) < 0 || hold_all(claims, hold->timeout, "hold()") < 0) {
    hold->thread.store(0, relaxed);
    return nullptr;
  }
  return Py_NewRef(hold->given);
}

PyObject* hold_exit(PyObject* self, PyObject*) {
  HoldObject* hold = hold_of(self);
  if (hold->thread.load(relaxed) != PyThread_get_thread_ident()) {
    PyErr_SetString(PyExc_RuntimeError, "this thread has not entered this hold()");
    return nullptr;
  }
  std::vector<Payload*> done;
  bool settled = true;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(hold->cowns); ++i) {
    Payload* payload = payload_of(PyTuple_GET_ITEM(PyTuple_GET_ITEM(hold->cowns, i), 0));
    if (payload->generation != generation || std::find(done.begin(), done.end(), payload) != done.end()) continue;
    done.push_back(payload);
    if (Held* held = context().find(payload)) settled = give_back(*held) == 0 && settled;
  }
  hold->thread.store(0, release);  // partner: the exchange in hold_enter()
  if (!settled) return nullptr;
  Py_RETURN_FALSE;
}

PyMethodDef hold_methods[] = {{"__enter__", hold_enter, METH_NOARGS, nullptr},
                              {"__exit__", hold_exit, METH_VARARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};
PyType_Slot hold_slots[] = {
    {Py_tp_doc,
     const_cast<char*>("hold(*cowns, timeout=None)\n--\n\nA context manager that holds several cowns at once, "
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
