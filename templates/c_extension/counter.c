/* A counter in C whose objects live in cowns: the template of an extension type for bocpy.
 *
 * The state (struct counter) is plain memory outside all interpreters; a Python object is one interpreter's handle on
 * it. When bocpy takes a counter to another interpreter the state stays where it is and gets a new handle there. So
 * somebody must say who may use it at present, and every use asks:
 *   owner  the interpreter whose handle is the good one, or BOCPY_NO_OWNER while it is on its way
 *   cown   on the threads backend, where the same handle is used by all: the cown that it is the value of, or NULL
 */
#include <bocpy/runtime.h>
#include <stdlib.h>

struct counter {
  atomic_int_least64_t references; /* handles, and what is on its way */
  atomic_int_least64_t owner;
  _Atomic(bocpy_cown*) cown;
  int_least64_t count;
};

typedef struct {
  PyObject_HEAD struct counter* state;
} CounterObject;

/* Every interpreter that imports the module stores the same. */
static _Atomic(const bocpy_api*) api;

/* The state ----------------------------------------------------------------------------------------------------- */

static struct counter* counter_new(int_least64_t count, int_least64_t owner) {
  struct counter* made = malloc(sizeof *made);
  if (!made) {
    PyErr_NoMemory();
    return NULL;
  }
  atomic_init(&made->references, 1);
  atomic_init(&made->owner, owner);
  atomic_init(&made->cown, NULL);
  made->count = count;
  return made;
}

/* Also what frees what was on its way: plain C, no Python. */
static void counter_let_go(void* state) {
  struct counter* counter = state;
  if (atomic_fetch_add(&counter->references, -1) == 1) free(counter);
}

static PyObject* counter_handle(PyTypeObject* type, struct counter* stolen) {
  CounterObject* self = (CounterObject*)type->tp_alloc(type, 0);
  if (!self) {
    counter_let_go(stolen);
    return NULL;
  }
  self->state = stolen;
  return (PyObject*)self;
}

/* The state behind the handle if the caller may use it now, else NULL with RuntimeError. */
static struct counter* counter_of(PyObject* self) {
  struct counter* counter = ((CounterObject*)self)->state;
  const int_least64_t owner = atomic_load(&counter->owner);
  bocpy_cown* cown = atomic_load(&counter->cown);
  if (owner == bocpy_interpid() && (!cown || atomic_load(&api)->holds(cown))) return counter;
  PyErr_SetString(PyExc_RuntimeError,
                  "this Counter was given to a cown. Use it where the cown is held: in a behavior, in a `with` block, "
                  "or after result(take=True)");
  return NULL;
}

/* Between interpreters -------------------------------------------------------------------------------------------- */

/* In the interpreter that receives it, where this very module may never have been imported. */
static PyObject* counter_arrive(XIDATA_T* xidata) {
  struct counter* counter = xidata->data;
  int_least64_t nobody = BOCPY_NO_OWNER;
  if (atomic_load(&api)->transfer() == BOCPY_COPY) { /* others will want it too */
    counter = counter_new(counter->count, bocpy_interpid());
    if (!counter) return NULL;
  } else if (atomic_compare_exchange_strong(&counter->owner, &nobody, bocpy_interpid())) {
    atomic_fetch_add(&counter->references, 1);
  } else {
    PyErr_SetString(PyExc_RuntimeError, "this Counter has arrived elsewhere already");
    return NULL;
  }
  PyObject* module = PyImport_ImportModule("bocpy_counter");
  PyObject* type = module ? PyObject_GetAttrString(module, "Counter") : NULL;
  Py_XDECREF(module);
  PyObject* made = NULL;
  if (type) {
    made = counter_handle((PyTypeObject*)type, counter);
    Py_DECREF(type);
  } else {
    counter_let_go(counter);
  }
  return made;
}

/* In the interpreter where it is. */
XIDATA_GETDATA_FUNC(counter_leave) {
  struct counter* counter = ((CounterObject*)obj)->state;
  int_least64_t here = bocpy_interpid();
  if (atomic_load(&api)->transfer() == BOCPY_COPY) { /* this one stays in use */
    if (atomic_load(&counter->owner) != here) {
      PyErr_SetString(PyExc_RuntimeError, "this Counter was given away: there is nothing to copy here");
      return -1;
    }
    counter = counter_new(counter->count, BOCPY_NO_OWNER);
    if (!counter) return -1;
  } else if (atomic_compare_exchange_strong(&counter->owner, &here, BOCPY_NO_OWNER)) {
    atomic_fetch_add(&counter->references, 1);
  } else {
    PyErr_SetString(PyExc_RuntimeError, "this Counter was given away before: it cannot be in two cowns");
    return -1;
  }
  XIDATA_INIT(xidata, PyInterpreterState_Get(), counter, NULL, counter_arrive);
  XIDATA_SET_FREE(xidata, counter_let_go);
  return 0;
}

/* On the threads backend: it is the value of this cown now, or (NULL) of none. */
static void counter_given(PyObject* self, bocpy_cown* cown) {
  atomic_store(&((CounterObject*)self)->state->cown, cown);
}

/* The type -------------------------------------------------------------------------------------------------------- */

static PyObject* counter_make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static char* names[] = {"start", NULL};
  long long start = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|L:Counter", names, &start)) return NULL;
  struct counter* counter = counter_new(start, bocpy_interpid());
  return counter ? counter_handle(type, counter) : NULL;
}

static void counter_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  counter_let_go(((CounterObject*)self)->state);
  type->tp_free(self);
  Py_DECREF(type);
}

static PyObject* counter_increment(PyObject* self, PyObject* unused BOCPY_UNUSED) {
  struct counter* counter = counter_of(self);
  return counter ? PyLong_FromLongLong(++counter->count) : NULL;
}

static PyObject* counter_count(PyObject* self, void* unused BOCPY_UNUSED) {
  struct counter* counter = counter_of(self);
  return counter ? PyLong_FromLongLong(counter->count) : NULL;
}

static PyObject* counter_address(PyObject* self, void* unused BOCPY_UNUSED) {
  struct counter* counter = counter_of(self);
  return counter ? PyLong_FromVoidPtr(counter) : NULL;
}

static PyMethodDef counter_methods[] = {
    {"increment", counter_increment, METH_NOARGS, "increment()\n--\n\nCount one more and return how many there are."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef counter_getset[] = {{"count", counter_count, NULL, "How often it was incremented.", NULL},
                                       {"address", counter_address, NULL, "Where the state lies in memory.", NULL},
                                       {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot counter_slots[] = {{Py_tp_doc, "Counter(start=0)\n--\n\nA counter that moves with its cown."},
                                      {Py_tp_new, (void*)counter_make},
                                      {Py_tp_dealloc, (void*)counter_dealloc},
                                      {Py_tp_methods, counter_methods},
                                      {Py_tp_getset, counter_getset},
                                      {0, NULL}};

/* Not a base type: what is registered holds for objects of exactly this type. */
static PyType_Spec counter_spec = {"bocpy_counter.Counter", sizeof(CounterObject), 0, Py_TPFLAGS_DEFAULT,
                                   counter_slots};

/* The module ------------------------------------------------------------------------------------------------------ */

/* Runs in every interpreter that imports the module. */
static int counter_exec(PyObject* module) {
  const bocpy_api* found = bocpy_import();
  if (!found) return -1;
  atomic_store(&api, found);
  PyObject* type = PyType_FromModuleAndSpec(module, &counter_spec, NULL);
  if (!type) return -1;
  int failed = PyModule_AddObjectRef(module, "Counter", type) < 0 ||
               XIDATA_REGISTERCLASS((PyTypeObject*)type, counter_leave) < 0 ||
               found->watch((PyTypeObject*)type, counter_given) < 0;
  Py_DECREF(type);
  return failed ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, (void*)counter_exec},
#if PY_VERSION_HEX >= 0x030C0000
                                          {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
                                          {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
                                          {0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                                        "bocpy_counter",
                                        "A counter in C that lives in cowns.",
                                        0,
                                        NULL,
                                        module_slots,
                                        NULL,
                                        NULL,
                                        NULL};

PyMODINIT_FUNC PyInit_bocpy_counter(void) {
  return PyModuleDef_Init(&definition);
}
