/* An extension module that calls the functions of bocpy/runtime.h one by one, as the tests ask. */
#include <bocpy/runtime.h>

static _Atomic(const bocpy_api*) api_pointer;
static const bocpy_api* api(void) {
  return atomic_load(&api_pointer);
}

static atomic_int_least64_t dropped;   /* bodies */
static atomic_int_least64_t destroyed; /* native values */

static void drop(void* argument) {
  atomic_fetch_add(&dropped, 1);
  PyMem_RawFree(argument);
}

static void destroy(void* object) {
  atomic_fetch_add(&destroyed, 1);
  PyMem_RawFree(object);
}

static long* number(long of) {
  long* made = (long*)PyMem_RawMalloc(sizeof *made);
  if (made) *made = of;
  return made;
}

/* What a body does, by number: see the tests. */
static PyObject* run(void* argument) {
  switch (*(long*)argument) {
    case 0:
      return PyLong_FromLongLong(bocpy_interpid());
    case 1:
      return NULL;
    case 2:
      PyErr_SetString(PyExc_KeyError, "of the body");
      return NULL;
    case 3:
      if (api()->set_native(api()->result(), number(7), "long", destroy) < 0) return NULL;
      Py_RETURN_NONE;
    default:
      return PyLong_FromLong(api()->result() != NULL);
  }
}

static PyObject* probe_table(PyObject* module, PyObject* unused) {
  (void)module, (void)unused;
  return PyLong_FromVoidPtr((void*)api());
}

static PyObject* probe_counts(PyObject* module, PyObject* unused) {
  (void)module, (void)unused;
  return Py_BuildValue("LL", (long long)atomic_load(&dropped), (long long)atomic_load(&destroyed));
}

static PyObject* probe_transfer(PyObject* module, PyObject* unused) {
  (void)module, (void)unused;
  return PyLong_FromLong(api()->transfer());
}

static PyObject* probe_in_body(PyObject* module, PyObject* unused) {
  (void)module, (void)unused;
  return PyBool_FromLong(api()->result() != NULL);
}

static PyObject* given_handle(bocpy_cown* stolen) {
  if (!stolen) return NULL;
  PyObject* handle = api()->handle_of(stolen);
  api()->let_go(stolen);
  return handle;
}

/* schedule(what, *cowns) */
static PyObject* probe_schedule(PyObject* module, PyObject* args) {
  (void)module;
  bocpy_request requests[8];
  Py_ssize_t count = PyTuple_GET_SIZE(args) - 1, taken = 0;
  const long what = PyLong_AsLong(PyTuple_GET_ITEM(args, 0));
  for (; taken < count && taken < 8; ++taken) {
    bocpy_cown* cown = api()->cown_of(PyTuple_GET_ITEM(args, taken + 1));
    if (!cown) break;
    requests[taken].cown = cown;
    requests[taken].flags = 0;
  }
  bocpy_cown* result = NULL;
  if (taken == count) {
    const bocpy_body body = {run, drop, number(what)};
    result = api()->schedule(requests, (size_t)count, &body);
  }
  while (taken > 0) api()->let_go(requests[--taken].cown);
  return given_handle(result);
}

static PyObject* probe_same(PyObject* module, PyObject* handle) {
  (void)module;
  return given_handle(api()->cown_of(handle));
}

static PyObject* probe_holds(PyObject* module, PyObject* handle) {
  (void)module;
  bocpy_cown* cown = api()->cown_of(handle);
  if (!cown) return NULL;
  const int holds = api()->holds(cown);
  api()->let_go(cown);
  return PyBool_FromLong(holds);
}

static PyObject* probe_make(PyObject* module, PyObject* of) {
  (void)module;
  return given_handle(api()->make_native(number(PyLong_AsLong(of)), "long", destroy));
}

/* native(cown, type, to_write) */
static PyObject* probe_native(PyObject* module, PyObject* args) {
  (void)module;
  PyObject* handle;
  const char* type;
  int to_write;
  if (!PyArg_ParseTuple(args, "Osp", &handle, &type, &to_write)) return NULL;
  bocpy_cown* cown = api()->cown_of(handle);
  if (!cown) return NULL;
  long* found = (long*)api()->native(cown, type, to_write);
  api()->let_go(cown);
  return found ? PyLong_FromLong(*found) : NULL;
}

/* set_native(cown, number) */
static PyObject* probe_set_native(PyObject* module, PyObject* args) {
  (void)module;
  PyObject* handle;
  long of;
  if (!PyArg_ParseTuple(args, "Ol", &handle, &of)) return NULL;
  bocpy_cown* cown = api()->cown_of(handle);
  if (!cown) return NULL;
  const int failed = api()->set_native(cown, number(of), "long", destroy);
  api()->let_go(cown);
  if (failed) return NULL;
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"table", probe_table, METH_NOARGS, NULL},
                                {"counts", probe_counts, METH_NOARGS, NULL},
                                {"transfer", probe_transfer, METH_NOARGS, NULL},
                                {"in_body", probe_in_body, METH_NOARGS, NULL},
                                {"schedule", probe_schedule, METH_VARARGS, NULL},
                                {"same", probe_same, METH_O, NULL},
                                {"holds", probe_holds, METH_O, NULL},
                                {"make", probe_make, METH_O, NULL},
                                {"native", probe_native, METH_VARARGS, NULL},
                                {"set_native", probe_set_native, METH_VARARGS, NULL},
                                {NULL, NULL, 0, NULL}};

static int probe_exec(PyObject* module) {
  const bocpy_api* found = bocpy_import();
  if (!found) return -1;
  atomic_store(&api_pointer, found);
  return PyModule_AddFunctions(module, methods);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void*)probe_exec},
#if PY_VERSION_HEX >= 0x030C0000
                                   {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
                                   {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
                                   {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "extension_probe", NULL, 0, NULL, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_extension_probe(void) {
  return PyModuleDef_Init(&definition);
}
