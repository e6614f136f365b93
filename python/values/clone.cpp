#include "clone.h"

#include "immutable.h"
#include "shelf.h"

namespace boc::py {
namespace {

// Enough for the frame, imports, warnings and tracebacks of a behavior to look as in its module.
constexpr const char* kModuleNames[] = {"__name__", "__package__", "__spec__", "__file__", "__doc__", "__loader__"};

bool tail_matches(const char* dotted, PyObject* name) noexcept {
  const char* tail = dotted;
  for (const char* c = dotted; *c; ++c) {
    if (*c == '.') tail = c + 1;
  }
  return PyUnicode_CompareWithASCIIString(name, tail) == 0;
}

bool module_is_named(PyObject* module, PyObject* name) noexcept {
  PyObject* own = PyModule_GetNameObject(module);
  if (!own) {
    PyErr_Clear();
    return false;
  }
  bool same = own == name;
  if (!same) {
    const char* text = PyUnicode_AsUTF8(own);
    same = text && tail_matches(text, name);
    if (!text) PyErr_Clear();
  }
  Py_DECREF(own);
  return same;
}

// A global that need not be bound: a module, function or class under its own name. Under another name it may
// be a loop variable or an alias that changes, and is bound like data.
bool is_stable(PyObject* value, PyObject* name) noexcept {
  PyTypeObject* type = Py_TYPE(value);
  if (type == &PyFunction_Type) return reinterpret_cast<PyFunctionObject*>(value)->func_name == name;
  if (PyType_Check(value)) {
    auto* cls = reinterpret_cast<PyTypeObject*>(value);
    if (cls->tp_flags & Py_TPFLAGS_HEAPTYPE) return reinterpret_cast<PyHeapTypeObject*>(value)->ht_name == name;
    return tail_matches(cls->tp_name, name);
  }
  if (PyModule_Check(value)) return module_is_named(value, name);
  if (PyCFunction_Check(value)) {
    PyObject* self = PyCFunction_GET_SELF(value);
    return (!self || PyModule_Check(self)) &&
           tail_matches(reinterpret_cast<PyCFunctionObject*>(value)->m_ml->ml_name, name);
  }
  return false;
}

// The registry of warnings already shown is the module's own, so that clones and plain functions count
// together.
int share_warning_registry(PyObject* globals, PyObject* target) {
  Ref key(PyUnicode_InternFromString("__warningregistry__"));
  if (!key) return -1;
  Ref registry(dict_get(globals, key.get()));
  if (!registry) {
    if (PyErr_Occurred()) return -1;
    registry = Ref(PyDict_New());
    if (!registry || PyDict_SetItem(globals, key.get(), registry.get()) < 0) return -1;
  }
  return PyDict_SetItem(target, key.get(), registry.get());
}

int set_module_names(PyFunctionObject* function, PyObject* target) {
  for (const char* name : kModuleNames) {
    Ref key(PyUnicode_InternFromString(name));
    if (!key) return -1;
    Ref value(dict_get(function->func_globals, key.get()));
    if (value ? PyDict_SetItem(target, key.get(), value.get()) < 0 : PyErr_Occurred() != nullptr) return -1;
  }
  if (PyDict_SetItemString(target, "__builtins__", function->func_builtins) < 0) return -1;
  return share_warning_registry(function->func_globals, target);
}

int set_binding(PyObject* globals, PyObject* name, PyObject* value) {
  if (value) return PyDict_SetItem(globals, name, value);
  if (PyDict_DelItem(globals, name) == 0) return 0;
  if (!PyErr_ExceptionMatches(PyExc_KeyError)) return -1;
  PyErr_Clear();
  return 0;
}

// code.replace(co_flags=...), made once and kept by the info.
PyObject* copied_code(PyCodeObject* code, CodeInfo* info) {
  PyObject* present = info->clone_code.load(std::memory_order_acquire);  // pairs with the exchange below
  if (present) return present;
  int flags = code->co_flags;
#ifdef Py_GIL_DISABLED
  flags |= CO_NESTED;
#endif
  Ref replace(PyObject_GetAttrString(reinterpret_cast<PyObject*>(code), "replace"));
  Ref arguments(PyTuple_New(0));
  Ref keywords(Py_BuildValue("{s:i}", "co_flags", flags));
  if (!replace || !arguments || !keywords) return nullptr;
  PyObject* copy = PyObject_Call(replace.get(), arguments.get(), keywords.get());
  if (!copy) return nullptr;
  if (info->clone_code.compare_exchange_strong(present, copy, std::memory_order_acq_rel)) return copy;
  Py_DECREF(copy);
  return present;
}

}  // namespace

PyObject* leakproof_code(PyCodeObject* code) {
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX < 0x030E0000
  if (!(code->co_flags & CO_NESTED)) {
    CodeInfo* info = code_info(code);
    return info ? copied_code(code, info) : nullptr;
  }
#endif
  return reinterpret_cast<PyObject*>(code);
}

Bindings::~Bindings() {
  for (Py_ssize_t i = 0, n = names_ + cells_; i < n; ++i) Py_XDECREF(values_[i]);
  if (values_ != inline_) PyMem_Free(values_);
}

int Bindings::read_names(PyFunctionObject* function, CodeInfo* info) {
  PyObject* globals = function->func_globals;
  PyObject* builtins = function->func_builtins;
  for (Py_ssize_t i = 0; i < info->name_count; ++i) {
    PyObject* name = PyTuple_GET_ITEM(info->names, i);
    PyObject* value = dict_get(globals, name);
    if (value) {
      if (globals_stable_ && !is_stable(value, name)) globals_stable_ = false;
    } else {
      if (PyErr_Occurred()) return -1;
      value = PyDict_Check(builtins) ? dict_get(builtins, name) : nullptr;
      if (value) {
        // The clone finds it in the same builtins; what the dict of a clone lacks is looked up there.
        Py_DECREF(value);
        value = nullptr;
      } else {
        if (PyErr_Occurred()) return -1;
        globals_stable_ = false;
      }
    }
    values_[names_++] = value;
  }
  return 0;
}

int Bindings::read(PyFunctionObject* function, CodeInfo* info) {
  PyObject* closure = function->func_closure;
  Py_ssize_t cells = closure ? PyTuple_GET_SIZE(closure) : 0;
  if (info->name_count + cells > kInline) {
    values_ = PyMem_New(PyObject*, info->name_count + cells);
    if (!values_) {
      values_ = inline_;
      PyErr_NoMemory();
      return -1;
    }
  }
  if (info->first_store || info->dynamic) globals_stable_ = false;
  if (read_names(function, info) < 0) return -1;
  for (; cells_ < cells; ++cells_) values_[names_ + cells_] = PyCell_Get(PyTuple_GET_ITEM(closure, cells_));
  return 0;
}

// A private globals dict with the present bindings. `model`: one with others, whose copy needs fewer steps.
PyObject* Bindings::fresh_globals(PyFunctionObject* function, CodeInfo* info, PyObject* model) {
  Ref globals(info->dynamic ? PyDict_Copy(function->func_globals) : model ? PyDict_Copy(model) : PyDict_New());
  if (!globals) return nullptr;
  if (!model && set_module_names(function, globals.get()) < 0) return nullptr;
  for (Py_ssize_t i = 0; i < names_; ++i) {
    PyObject* name = PyTuple_GET_ITEM(info->names, i);
    Ref present(dict_get(globals.get(), name));
    if (!present && PyErr_Occurred()) return nullptr;
    if (present.get() != values_[i] && set_binding(globals.get(), name, values_[i]) < 0) return nullptr;
  }
  return globals.release();
}

PyObject* Bindings::globals_for(const Wanted& wanted, CodeInfo* info, bool* known) {
  if (globals_stable_) return Py_NewRef(wanted.function->func_globals);
  if (info->dynamic) return fresh_globals(wanted.function, info, nullptr);
  Ref kept(find_globals(info, wanted, known));
  // Who stores to its globals gets a dict of its own.
  if (*known && !info->first_store) return kept.release();
  return fresh_globals(wanted.function, info, kept.get());
}

PyObject* Bindings::new_function(PyFunctionObject* function, CodeInfo* info, PyObject* globals) {
  PyObject* code = copied_code(reinterpret_cast<PyCodeObject*>(function->func_code), info);
  if (!code) return nullptr;
  Ref clone(PyFunction_NewWithQualName(code, globals, function->func_qualname));
  if (!clone) return nullptr;
  auto* made = reinterpret_cast<PyFunctionObject*>(clone.get());
  if (cells_) {
    Ref closure(PyTuple_New(cells_));
    if (!closure) return nullptr;
    for (Py_ssize_t i = 0; i < cells_; ++i) {
      PyObject* cell = PyCell_New(values_[names_ + i]);
      if (!cell) return nullptr;
      PyTuple_SET_ITEM(closure.get(), i, cell);
    }
    made->func_closure = closure.release();
  }
  // Nobody else knows the clone yet.
  if (function->func_dict) Py_XSETREF(made->func_dict, Py_NewRef(function->func_dict));
  if (function->func_name != made->func_name) Py_SETREF(made->func_name, Py_NewRef(function->func_name));
  return clone.release();
}

void Bindings::names_for_one_behavior() noexcept {
  if (globals_stable_) return;  // the function's own dict has them
  for (Py_ssize_t i = 0; i < names_; ++i) names_once_ = names_once_ || (values_[i] && !goes_as_is(values_[i]));
  once_ = once_ || names_once_;
}

PyObject* Bindings::bind(PyFunctionObject* function, CodeInfo* info) {
  Wanted wanted{function, values_, names_, cells_, globals_stable_};
  bool keep_globals = !names_once_ && !globals_stable_ && !info->first_store && !info->dynamic;
  bool keep_function = !once_ && !info->first_store && !info->dynamic;
  if (keep_function) {
    PyObject* kept = find_clone(info, wanted);
    if (kept) return kept;
  }
  bool known = false;
  Ref globals(globals_for(wanted, info, &known));
  if (!globals) return nullptr;
  Ref clone(new_function(function, info, globals.get()));
  if (!clone) return nullptr;
  int kept = 0;
  if (keep_function) {
    kept = keep_clone(info, wanted, globals.get(), clone.get());
  } else if (keep_globals && !known) {
    wanted.cells = 0;
    kept = keep_clone(info, wanted, globals.get(), nullptr);
  }
  return kept < 0 ? nullptr : clone.release();
}

}  // namespace boc::py
