#include "cown_type.h"

#include <structmember.h>

#include <cstddef>
#include <cstring>
#include <optional>

#include "copy.h"
#include "immutable.h"
#include "main_thread.h"
#include "pinned_type.h"
#include "runtime.h"
#include "site.h"
#include "turns.h"
#include "watched.h"
#include "window.h"

namespace boc::py {

namespace {

CownObject* self_of(PyObject* o) noexcept {
  return reinterpret_cast<CownObject*>(o);
}

// Looked at whenever a cown changes hands, so that a read of its value needs no more than this.
Access refuse_access(Payload* payload) {
  if (check_generation(payload) < 0) return Access::NONE;
  if (context().current) {
    PyErr_SetString(PyExc_RuntimeError,
                    "this behavior does not hold the cown: its value may be used only by a behavior that was scheduled "
                    "on it. Add it to the @when, or schedule another behavior on it");
  } else {
    PyErr_SetString(PyExc_RuntimeError,
                    "this thread does not hold the cown. Use `with cown as value:` to hold it, cown.result() for its "
                    "value when what is scheduled has ended, @when(cown), or call wait() first");
  }
  return Access::NONE;
}

PyObject* cown_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"value", nullptr};
  PyObject* value;
  if (!kwargs && PyTuple_GET_SIZE(args) == 1) {
    value = PyTuple_GET_ITEM(args, 0);
  } else if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Cown", const_cast<char**>(names), &value)) {
    return nullptr;
  }
  PyObject* given = given_away(value, nullptr, false);
  if (!given) return nullptr;
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) {
    Py_DECREF(given);
    return nullptr;
  }
  self_of(self)->payload = backend().make_payload(given);
  if (!self_of(self)->payload) Py_CLEAR(self);
  return self;
}

void cown_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (self_of(self)->weak_list) PyObject_ClearWeakRefs(self);
  Payload* payload = self_of(self)->payload;
  type->tp_free(self);
  Py_DECREF(type);
  // Saves and restores an error that may be passing through.
  if (payload && payload->unref()) backend().drop(payload);
}

// The value belongs to this handle alone if there is no other and nothing is queued: then it may be garbage together
// with it. The collector runs with all other threads stopped or without the lock. What is pinned is garbage on the main
// thread only: it must not be finalized anywhere else.
bool owns_value(Payload* payload) noexcept {
  return payload && payload->refs.load(acquire) == 1 && payload->resident_here() &&
         (!payload->pinned || on_main_thread());
}

int cown_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Payload* payload = self_of(self)->payload;
  if (owns_value(payload)) Py_VISIT(payload->value);
  return 0;
}

int cown_clear(PyObject* self) {
  Payload* payload = self_of(self)->payload;
  if (owns_value(payload) && !payload->failed.load(relaxed)) {
    PyObject* garbage = payload->replace(Py_NewRef(Py_None));
    tell_given(garbage, nullptr);
    Py_DECREF(garbage);
  }
  return 0;
}

PyObject* cown_get_value(PyObject* self, void*) {
  Payload* payload = payload_of(self);
  const Access access = access_to(payload);
  if (access == Access::NONE) return nullptr;
  if (payload->failed.load(relaxed)) runtime().failures().look(*payload);
  return access == Access::WINDOW ? look_in_window(*payload) : value_of(*payload, access == Access::WRITE);
}

// The right to write, for as long as it lives: the caller's hold, or one of its own in the window after wait().
class Writing {
 public:
  explicit Writing(Payload* payload) : payload_(*payload) {
    const Access access = access_to(payload);
    if (access == Access::READ) {
      PyErr_SetString(PyExc_RuntimeError,
                      "the cown is held by read(): others may be reading it now, so its value cannot be replaced. "
                      "Schedule a behavior on the cown itself");
    } else if (access == Access::WINDOW) {
      constexpr double PATIENCE = 1.0;  // seconds
      turn_ = take_in_window(payload_, PATIENCE, "an assignment");
      allowed_ = turn_ != nullptr;
      if (turn_) carrying_.emplace();  // what the assignment calls would wait for this very turn
    } else {
      allowed_ = access == Access::WRITE;
    }
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  ~Writing() {
    carrying_.reset();
    if (turn_) finish_in_window(payload_, *turn_);
  }
  bool allowed() const noexcept { return allowed_; }  // false: an error is set

 private:
  Payload& payload_;
  Turn* turn_ = nullptr;
  std::optional<Carrying> carrying_;
  bool allowed_ = false;
};

int cown_set_value(PyObject* self, PyObject* value, void*) {
  if (!value) {
    PyErr_SetString(PyExc_AttributeError, "a cown's value cannot be deleted; assign None instead");
    return -1;
  }
  Payload* payload = payload_of(self);
  Ref old;  // dropped last, when the cown is free again
  {
    Writing writing(payload);
    PyObject* given = writing.allowed() ? given_away(value, payload, payload->pinned) : nullptr;
    if (!given) return -1;
    const bool failed = payload->failed.load(relaxed);
    if (failed) runtime().failures().look(*payload);
    PyObject* replaced = nullptr;
    if (backend().put(*payload, given, &replaced) < 0) return -1;
    old = Ref(replaced);
    if (failed) {
      payload->failed.store(false, relaxed);
      payload->looked.store(false, relaxed);
    }
  }
  return 0;
}

PyObject* cown_get_exception(PyObject* self, void*) {
  Payload* payload = payload_of(self);
  if (access_to(payload) == Access::NONE) return nullptr;
  runtime().failures().look(*payload);
  return PyBool_FromLong(payload->failed.load(relaxed));
}

int cown_set_exception(PyObject* self, PyObject* value, void*) {
  if (!value) {
    PyErr_SetString(PyExc_AttributeError, "a cown's exception flag cannot be deleted; assign False instead");
    return -1;
  }
  Payload* payload = payload_of(self);
  const int failed = PyObject_IsTrue(value);
  if (failed < 0) return -1;
  Writing writing(payload);
  if (!writing.allowed()) return -1;
  Ref present(failed ? value_of(*payload, true) : nullptr);
  if (failed && !present) return -1;
  if (failed && !PyExceptionInstance_Check(present.get())) {
    PyErr_SetString(PyExc_TypeError,
                    "only a cown whose value is an exception can be marked as failed: assign the exception first");
    return -1;
  }
  runtime().failures().look(*payload);
  payload->failed.store(failed, relaxed);
  payload->looked.store(true, relaxed);  // whoever sets the flag knows
  return 0;
}

PyObject* cown_get_acquired(PyObject* self, void*) {
  Payload* payload = payload_of(self);
  Context& c = context();
  if (c.current) return PyBool_FromLong(c.current->find(payload) != nullptr);
  return PyBool_FromLong(c.find(payload) != nullptr);
}

// Only what can be told without holding the cown, and never the value's own repr, which may run anything.
PyObject* cown_repr(PyObject* self) {
  Payload* payload = payload_of(self);
  Context& c = context();
  uint32_t pending = payload->pending.load(relaxed);
  bool mine = c.current ? c.current->find(payload) != nullptr : c.find(payload) != nullptr;
  const char* name = Py_TYPE(self)->tp_name;
  if (const char* dot = std::strrchr(name, '.')) name = dot + 1;
  if (payload->generation != generation)
    return PyUnicode_FromFormat("<%s at %p: of the parent process>", name, payload);
  if (mine) {
    const char* by = c.current ? "this behavior" : "this thread";
    return PyUnicode_FromFormat("<%s at %p: held by %s, queued %u%s>", name, payload, by, pending,
                                payload->failed.load(relaxed) ? ", failed" : "");
  }
  if (!payload->idle()) {
    // A thread that holds it alone is no behavior: then nothing is queued.
    if (pending == 0) return PyUnicode_FromFormat("<%s at %p: held by another>", name, payload);
    return PyUnicode_FromFormat("<%s at %p: held by another, queued %u>", name, payload, pending);
  }
  return PyUnicode_FromFormat("<%s at %p: %s>", name, payload, payload->failed.load(relaxed) ? "failed" : "idle");
}

Py_hash_t cown_hash(PyObject* self) {
  auto address = reinterpret_cast<uintptr_t>(payload_of(self));
  auto hash = static_cast<Py_hash_t>(address >> 4 | address << (8 * sizeof(address) - 4));
  return hash == -1 ? -2 : hash;
}

PyObject* cown_compare(PyObject* a, PyObject* b, int op) {
  if (!is_cown_object(a) || !is_cown_object(b)) Py_RETURN_NOTIMPLEMENTED;
  auto x = reinterpret_cast<uintptr_t>(payload_of(a));
  auto y = reinterpret_cast<uintptr_t>(payload_of(b));
  Py_RETURN_RICHCOMPARE(x, y, op);
}

PyObject* cown_unwrap(PyObject* self, PyObject*) {
  Payload* payload = payload_of(self);
  if (check_generation(payload) < 0 || (payload->pinned && refuse_off_main("unwrap() of a pinned cown") < 0)) {
    return nullptr;
  }
  return unwrap_cown(payload);
}

PyObject* cown_reduce(PyObject* self, PyObject*) {
  Payload* payload = payload_of(self);
  if (check_generation(payload) < 0) return nullptr;
  remember_live(*payload);
  Ref function(PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(self)), "_rebuild"));
  if (!function) return nullptr;
  Ref pid(PyObject_CallNoArgs(Ref(PyObject_GetAttrString(Ref(PyImport_ImportModule("os")).get(), "getpid")).get()));
  if (!pid) return nullptr;
  return Py_BuildValue("(O(OK))", function.get(), pid.get(),
                       static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(payload)));
}

PyObject* cown_rebuild(PyObject*, PyObject* args) {
  PyObject *pid, *where;
  if (!PyArg_ParseTuple(args, "OO", &pid, &where)) return nullptr;
  unsigned long long address = PyLong_AsUnsignedLongLong(where);
  if (address == static_cast<unsigned long long>(-1) && PyErr_Occurred()) return nullptr;
  Ref own(PyObject_CallNoArgs(Ref(PyObject_GetAttrString(Ref(PyImport_ImportModule("os")).get(), "getpid")).get()));
  if (!own) return nullptr;
  int same = PyObject_RichCompareBool(pid, own.get(), Py_EQ);
  if (same < 0) return nullptr;
  Payload* payload = same ? find_live(static_cast<uintptr_t>(address)) : nullptr;
  if (!payload) {
    PyErr_SetString(PyExc_RuntimeError,
                    same ? "the pickled cown no longer exists: keep a reference to it until the pickle is loaded"
                         : "a cown can be unpickled only in the process that pickled it: send its value instead");
    return nullptr;
  }
  return wrap_payload(payload);
}

PyObject* cown_same(PyObject* self, PyObject*) {
  return Py_NewRef(self);
}

PyMethodDef cown_methods[] = {
    {"acquire", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(cown_acquire)), METH_VARARGS | METH_KEYWORDS,
     "acquire(timeout=None)\n--\n\nTake a turn in the cown's queue and hold it until release(). TimeoutError "
     "after "
     "`timeout` seconds."},
    {"release", cown_release, METH_NOARGS, "release()\n--\n\nGive back what acquire() took."},
    {"result", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(cown_result)), METH_VARARGS | METH_KEYWORDS,
     "result(timeout=None, *, take=False)\n--\n\nWait for what is scheduled on the cown so far and return "
     "its value: "
     "immutable values as they are, else a copy of the caller's own. With take=True move the value out and "
     "leave "
     "None. Raises the exception of a failed behavior, TimeoutError after `timeout` seconds, TransferError "
     "if the "
     "value cannot be copied."},
    {"unwrap", cown_unwrap, METH_NOARGS,
     "unwrap()\n--\n\nTake the value out of an idle cown and leave None; raises the exception of a failed "
     "one. "
     "RuntimeError while a behavior on the cown is in flight."},
    {"__enter__", cown_enter, METH_NOARGS, nullptr},
    {"__exit__", cown_exit, METH_VARARGS, nullptr},
    {"__reduce__", cown_reduce, METH_NOARGS, nullptr},
    {"__copy__", cown_same, METH_NOARGS, nullptr},
    {"__deepcopy__", cown_same, METH_O, nullptr},
    {"_rebuild", cown_rebuild, METH_VARARGS | METH_STATIC, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef cown_getset[] = {
    {"value", cown_get_value, cown_set_value, "The value; only for who holds the cown.", nullptr},
    {"exception", cown_get_exception, cown_set_exception, "True if the value is what a behavior raised.", nullptr},
    {"acquired", cown_get_acquired, nullptr, "True if the current behavior or thread holds the cown.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef cown_members[] = {{"__weaklistoffset__", T_PYSSIZET, offsetof(CownObject, weak_list), READONLY, nullptr},
                              {nullptr, 0, 0, 0, nullptr}};

PyType_Slot cown_slots[] = {
    {Py_tp_doc, const_cast<char*>("Cown(value)\n--\n\nOwns a value, which is given away to it. Behaviors scheduled on "
                                  "the cown with @when use it one after the other (or, with read(), together).")},
    {Py_tp_new, reinterpret_cast<void*>(cown_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(cown_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(cown_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(cown_clear)},
    {Py_tp_repr, reinterpret_cast<void*>(cown_repr)},
    {Py_tp_hash, reinterpret_cast<void*>(cown_hash)},
    {Py_tp_richcompare, reinterpret_cast<void*>(cown_compare)},
    {Py_tp_methods, cown_methods},
    {Py_tp_getset, cown_getset},
    {Py_tp_members, cown_members},
    {0, nullptr}};

PyType_Spec cown_spec = {"bocpy.Cown", sizeof(CownObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, cown_slots};

}  // namespace

Access access_to(Payload* payload) {
  if (payload->pinned) return access_to_pinned(payload);
  Context& c = context();
  if (c.current) {
    Request* r = c.current->find(payload);
    if (r) return r->reads() ? Access::READ : Access::WRITE;
  } else {
    if (Held* h = c.find(payload)) {
      if (check_generation(payload) < 0) return Access::NONE;
      return h->reads ? Access::READ : Access::WRITE;
    }
    if (runtime().open_access() && home().main() && payload->generation == generation) return Access::WINDOW;
  }
  return refuse_access(payload);
}

void raise_stored(Payload* payload, bool writes) {
  runtime().failures().look(*payload);
  PyObject* error = value_of(*payload, writes);
  if (!error) return;                        // what is raised says why it cannot be told
  PyException_SetTraceback(error, Py_None);  // not those of earlier calls: each starts where it is raised
  raise_exception(error);
}

PyObject* take_value(Payload* payload) {
  const bool failed = payload->failed.load(relaxed);
  PyObject* value = nullptr;
  if (failed) {
    raise_stored(payload, true);
  } else if (!(value = value_of(*payload, true))) {
    return nullptr;
  }
  PyObject* raised = take_exception();
  if (failed) {
    payload->failed.store(false, relaxed);
    payload->looked.store(false, relaxed);
  }
  PyObject* old = nullptr;
  const int left = backend().put(*payload, Py_NewRef(Py_None), &old);
  Py_XDECREF(old);  // lives on as what is returned or raised
  if (raised) {
    raise_exception(raised);
  } else if (left < 0) {
    Py_CLEAR(value);
  }
  return value;
}

int add_cown_type(PyObject* module) {
  PyTypeObject* type = home().cown_type = make_type(module, &cown_spec, nullptr);
  return type ? PyModule_AddObjectRef(module, "Cown", reinterpret_cast<PyObject*>(type)) : -1;
}

}  // namespace boc::py
