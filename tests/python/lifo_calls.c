/* A function that calls one of Python's, and, like libraries in C++, takes for granted that of the calls that are open on a
   thread the last one ends first. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

struct call {
  struct call* outer;
};

static _Thread_local struct call* innermost;

static PyObject* call_within(PyObject* module, PyObject* function) {
  (void)module;
  struct call mine = {innermost};
  innermost = &mine;
  PyObject* result = PyObject_CallNoArgs(function);
  if (innermost != &mine) Py_FatalError("a call that was open on this thread has not ended before an outer one");
  innermost = mine.outer;
  return result;
}

static PyMethodDef methods[] = {{"call_within", call_within, METH_O, NULL}, {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "bocpy_lifo_calls", NULL, 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_bocpy_lifo_calls(void) {
  return PyModuleDef_Init(&definition);
}
