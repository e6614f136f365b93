// The extension module bocpy._bocpy.
#include "backend_choice.h"
#include "batch_type.h"
#include "c_api.h"
#include "cown_type.h"
#include "hold_type.h"
#include "matrix_type.h"
#include "message_functions.h"
#include "notice_functions.h"
#include "pinned_type.h"
#include "pump.h"
#include "read_type.h"
#include "runtime.h"
#include "scope_type.h"
#include "when.h"

namespace boc::py {
namespace {

int exec_module(PyObject* module) {
  if (!enter_home()) return -1;
  PyObject* globals = PyModule_GetDict(module);
  home().breath = PyRun_String("lambda: None", Py_eval_input, globals, globals);
  if (!home().breath) return -1;
  if (add_cown_type(module) < 0 || add_pinned_type(module) < 0 || add_read_type(module) < 0 ||
      add_when_type(module) < 0 || add_hold_type(module) < 0 || add_batch_type(module) < 0 ||
      add_scope_type(module) < 0 || add_matrix_types(module) < 0) {
    return -1;
  }
  if (PyModule_AddFunctions(module, when_methods) < 0 || PyModule_AddFunctions(module, runtime_methods) < 0) return -1;
  if (PyModule_AddFunctions(module, pump_methods) < 0 || add_notice_functions(module) < 0) return -1;
  if (add_message_functions(module) < 0) return -1;
  if (add_backend_functions(module) < 0 || add_c_api(module) < 0) return -1;
  for (const char* name : {"when", "whencall"}) {
    Ref function(PyObject_GetAttrString(module, name));
    if (!function) return -1;
    immortalize(function.get());
  }
#ifdef Py_GIL_DISABLED
  PyObject* free_threaded = Py_True;
#else
  PyObject* free_threaded = Py_False;
#endif
  return PyModule_AddObjectRef(module, "FREE_THREADED_BUILD", free_threaded);
}

PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void*>(exec_module)},
#if PY_VERSION_HEX >= 0x030C0000
                            {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
                            {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
                            {0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "bocpy._bocpy",
                          "The native part of bocpy; import bocpy instead.",
                          0,
                          nullptr,
                          slots,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace
}  // namespace boc::py

PyMODINIT_FUNC PyInit__bocpy() {
  return PyModuleDef_Init(&boc::py::definition);
}
