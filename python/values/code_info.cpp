#include "code_info.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <vector>

#include "boc/sync.h"
#include "clone.h"
#include "py_errors.h"

namespace boc::py {
namespace {

// Guards the creation of indices and infos. Held for a few instructions, never while Python code runs.
Mutex creation_mutex;

void free_info(void* extra);

// An index belongs to an interpreter: to its id, as its address may be another's later. -1 if CPython has none left.
struct Index {
  int64_t interpreter;
  Py_ssize_t value;
};

Index find_or_request_index(int64_t interpreter) {
  std::lock_guard lock(creation_mutex);
  static auto& known = *new std::vector<Index>;  // never freed: daemon threads outlive static objects
  auto at = std::ranges::find(known, interpreter, &Index::interpreter);
  if (at != known.end()) return *at;
  known.reserve(known.size() + 1);  // first, as an index cannot be given back
  known.push_back({interpreter, request_code_extra_index(free_info)});
  return known.back();
}

Py_ssize_t extra_index() {
  static constinit thread_local Index last BOC_FAST_TLS{-1, -1};
  const int64_t interpreter = PyInterpreterState_GetID(PyInterpreterState_Get());
  if (last.interpreter == interpreter) return last.value;
  try {
    const Index found = find_or_request_index(interpreter);
    if (found.value >= 0) return (last = found).value;
    PyErr_SetString(PyExc_RuntimeError,
                    "CPython has no slot left for bocpy's notes on code objects: too many tools of this process "
                    "(debuggers, tracers) took one each");
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  }
  return -1;
}

void clear_info(CodeInfo* info) {
  Py_XDECREF(info->names);
  Py_XDECREF(info->attributes);
  Py_XDECREF(info->parameters);
  Py_XDECREF(info->keyword_only);
  Py_XDECREF(info->freevars);
  Py_XDECREF(info->first_store);
  Py_XDECREF(info->clone_code.load(std::memory_order_relaxed));
  if (Site* site = info->site.load(std::memory_order_acquire)) info->free_site(site);
  delete info;
}

void free_info(void* extra) {
  if (!extra) return;
  auto* info = static_cast<CodeInfo*>(extra);
  forget_clones(info);
  if (info->recipes) info->free_recipes(info);
  clear_info(info);
}

// Fills the fields from analyze()'s answer. -1 with an error if it is not what it should be.
int read_analysis(CodeInfo* info, PyObject* analysis) {
  int dynamic = 0;
  PyObject* store = nullptr;
  if (!PyArg_ParseTuple(analysis, "O!O!OpO!O!O!;bocpy._analysis.analyze", &PyTuple_Type, &info->names, &PyTuple_Type,
                        &info->attributes, &store, &dynamic, &PyTuple_Type, &info->parameters, &PyTuple_Type,
                        &info->keyword_only, &PyTuple_Type, &info->freevars)) {
    info->names = info->attributes = info->parameters = info->keyword_only = info->freevars = nullptr;
    return -1;
  }
  for (PyObject* field : {info->names, info->attributes, info->parameters, info->keyword_only, info->freevars}) {
    Py_INCREF(field);
  }
  info->first_store = store == Py_None ? nullptr : Py_NewRef(store);
  info->dynamic = dynamic != 0;
  info->name_count = PyTuple_GET_SIZE(info->names);
  return 0;
}

CodeInfo* make_info(PyCodeObject* code, Py_ssize_t index) {
  Ref analyze(module_attribute("bocpy._analysis", "analyze"));
  if (!analyze) return nullptr;
  Ref analysis(PyObject_CallOneArg(analyze.get(), reinterpret_cast<PyObject*>(code)));
  if (!analysis) return nullptr;
  auto* info = new (std::nothrow) CodeInfo;
  if (!info) {
    PyErr_NoMemory();
    return nullptr;
  }
  info->owner = PyInterpreterState_Get();
  if (read_analysis(info, analysis.get()) < 0) {
    clear_info(info);
    return nullptr;
  }
  // Another thread, or the analysis itself (an import hook may schedule), may have been faster.
  void* present = nullptr;
  int failed = 0;
  {
    std::lock_guard lock(creation_mutex);
    failed = get_code_extra(reinterpret_cast<PyObject*>(code), index, &present);
    if (!failed && !present) failed = set_code_extra(reinterpret_cast<PyObject*>(code), index, info);
  }
  if (failed || present) {
    clear_info(info);
    return failed ? nullptr : static_cast<CodeInfo*>(present);
  }
  return info;
}

}  // namespace

void code_infos_after_fork() noexcept {
  new (&creation_mutex) Mutex;
}

CodeInfo* code_info(PyCodeObject* code) {
  Py_ssize_t index = extra_index();
  if (index < 0) return nullptr;
  void* extra = nullptr;
  if (get_code_extra(reinterpret_cast<PyObject*>(code), index, &extra) < 0) return nullptr;
  return extra ? static_cast<CodeInfo*>(extra) : make_info(code, index);
}

}  // namespace boc::py
