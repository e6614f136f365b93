#include "batch_type.h"

#include <new>

#include "collect.h"
#include "runtime.h"

namespace boc::py {
namespace {

struct BatchObject {
  PyObject_HEAD Batch* batch;  // null unless entered as the outermost one
  atomic<bool> entered;
};

BatchObject* batch_of(PyObject* o) noexcept {
  return reinterpret_cast<BatchObject*>(o);
}

// The results are ordinary cowns from here on.
void close_batch(Batch& batch) noexcept {
  for (PyBehavior* b : batch.members) b->result->batch.store(nullptr, relaxed);
  if (context().batch == &batch) context().batch = nullptr;
}

void cancel_batch(Batch& batch) noexcept {
  PyObject* raised = take_exception();
  close_batch(batch);
  for (PyBehavior* b : batch.members) cancel_unscheduled(*b);
  raise_exception(raised);
}

// False, and nothing is scheduled, if there is no memory for it.
bool schedule_all(Batch& batch) noexcept {
  try {
    const std::vector<Behavior*> members(batch.members.begin(), batch.members.end());
    close_batch(batch);
    if (!members.empty()) runtime().scheduler().schedule_batch(here(), members);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

PyObject* batch_enter(PyObject* self, PyObject*) {
  BatchObject* object = batch_of(self);
  if (object->entered.exchange(true)) {
    PyErr_SetString(PyExc_RuntimeError, "this batch() is entered already: make a new one for each `with`");
    return nullptr;
  }
  if (!context().batch) {  // a nested one joins the outer
    object->batch = new (std::nothrow) Batch;
    if (!object->batch) {
      object->entered.store(false, relaxed);
      return PyErr_NoMemory();
    }
    context().batch = object->batch;
  }
  return Py_NewRef(self);
}

PyObject* batch_exit(PyObject* self, PyObject* args) {
  PyObject *type, *value, *traceback;
  if (!PyArg_ParseTuple(args, "OOO:__exit__", &type, &value, &traceback)) return nullptr;
  BatchObject* object = batch_of(self);
  Batch* batch = object->batch;
  if (batch && batch->abandoned.load(acquire)) {
    PyErr_SetString(
        PyExc_RuntimeError,
        "the behavior or thread that opened this batch has ended without leaving it: nothing of it was scheduled");
    return nullptr;
  }
  if (batch && context().batch != batch) {
    PyErr_SetString(PyExc_RuntimeError, "a batch ends in the thread, and in the behavior, that opened it");
    return nullptr;
  }
  object->batch = nullptr;
  object->entered.store(false, release);  // partner: the exchange in batch_enter()
  if (!batch) Py_RETURN_FALSE;
  const bool scheduled = type == Py_None && schedule_all(*batch);
  if (!scheduled) cancel_batch(*batch);
  delete batch;
  if (type == Py_None && !scheduled) return PyErr_NoMemory();
  Py_RETURN_FALSE;
}

PyObject* batch_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) || (kwargs && PyDict_GET_SIZE(kwargs))) {
    PyErr_SetString(PyExc_TypeError, "batch() takes no arguments");
    return nullptr;
  }
  return type->tp_alloc(type, 0);
}

void batch_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  // Entered and never left (a generator that was thrown away inside the block): nothing of it is scheduled.
  if (Batch* batch = batch_of(self)->batch) {
    const bool mine = context().batch == batch;
    if (mine) cancel_batch(*batch);
    if (mine || batch->abandoned.load(acquire)) delete batch;  // else its thread still uses it
  }
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef batch_methods[] = {{"__enter__", batch_enter, METH_NOARGS, nullptr},
                               {"__exit__", batch_exit, METH_VARARGS, nullptr},
                               {nullptr, nullptr, 0, nullptr}};
PyType_Slot batch_slots[] = {
    {Py_tp_doc, const_cast<char*>("batch()\n--\n\nA context manager: the behaviors made inside are scheduled as one "
                                  "step at exit, or not at all if the block raises.")},
    {Py_tp_new, reinterpret_cast<void*>(batch_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(batch_dealloc)},
    {Py_tp_methods, batch_methods},
    {0, nullptr}};
PyType_Spec batch_spec = {"bocpy.batch", sizeof(BatchObject), 0, Py_TPFLAGS_DEFAULT, batch_slots};

}  // namespace

bool add_to_batch(Batch& batch, PyBehavior& behavior) noexcept {
  try {
    batch.members.push_back(&behavior);
  } catch (const std::bad_alloc&) {
    return false;
  }
  behavior.result->batch.store(&batch, relaxed);
  return true;
}

void abandon_batch(Batch& batch) noexcept {
  cancel_batch(batch);
  batch.members.clear();
  batch.abandoned.store(true, release);
}

int add_batch_type(PyObject* module) {
  PyTypeObject* type = make_type(module, &batch_spec, nullptr);
  return type ? PyModule_AddObjectRef(module, "batch", reinterpret_cast<PyObject*>(type)) : -1;
}

}  // namespace boc::py
