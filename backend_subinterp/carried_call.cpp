// Calling a carried behavior: its function, its cowns' handles and its captures as arguments.
#include "carried_behavior.h"
#include "decoder.h"
#include "station.h"

namespace boc::py {
namespace {

// Owned references for a vectorcall, with a free place in front.
class Arguments {
 public:
  explicit Arguments(size_t count) {
    if (count + 1 > INLINE) places_ = PyMem_New(PyObject*, count + 1);
    if (!places_) PyErr_NoMemory();
  }
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
  ~Arguments() {
    for (size_t i = 1; i <= count_; ++i) Py_XDECREF(places_[i]);
    if (places_ != inline_) PyMem_Free(places_);
  }
  bool failed() const noexcept { return !places_; }
  // Steals; false for null.
  bool add(PyObject* argument) noexcept {
    if (argument) places_[++count_] = argument;
    return argument != nullptr;
  }
  PyObject* call(PyObject* callable, size_t keywords, PyObject* names) noexcept {
    return PyObject_Vectorcall(callable, places_ + 1, (count_ - keywords) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
  }

 private:
  static constexpr size_t INLINE = 12;
  PyObject* inline_[INLINE];
  PyObject** places_ = inline_;
  size_t count_ = 0;
};

// The handle takes over the behavior's reference (D2).
PyObject* next_handle(CarriedBehavior& b, uint32_t at) {
  return wrap_payload(std::exchange(b.cowns()[at], nullptr));
}

PyObject* group(CarriedBehavior& b, uint32_t at, int32_t count) {
  Ref list(PyList_New(count));
  for (int32_t i = 0; list && i < count; ++i) {
    PyObject* handle = next_handle(b, at + static_cast<uint32_t>(i));
    if (!handle) return nullptr;
    PyList_SET_ITEM(list.get(), i, handle);
  }
  return list.release();
}

bool add_cowns(CarriedBehavior& b, Arguments& arguments) {
  uint32_t at = 0;
  for (uint32_t i = 0; i < b.parameters; ++i) {
    const int32_t count = b.counts()[i];
    if (!arguments.add(count == SINGLE ? next_handle(b, at) : group(b, at, count))) return false;
    at += count == SINGLE ? 1 : static_cast<uint32_t>(count);
  }
  return true;
}

// A function like the template with cells of its own, and with a namespace of its own if it stores there.
PyObject* fresh_function(PyFunctionObject* model, const CarriedBehavior& b, PyObject* captures, Py_ssize_t first_cell) {
  const bool stores = b.recipe->stores_globals();
  Ref globals(stores ? PyDict_Copy(model->func_globals) : Py_NewRef(model->func_globals));
  Ref made(globals ? PyFunction_NewWithQualName(model->func_code, globals.get(), model->func_qualname) : nullptr);
  if (!made) return nullptr;
  auto* function = reinterpret_cast<PyFunctionObject*>(made.get());
  if (b.cells) {
    Ref closure(PyTuple_New(b.cells));
    for (uint32_t i = 0; closure && i < b.cells; ++i) {
      const bool empty = i < 64 && (b.empty_cells >> i & 1);
      PyObject* cell = PyCell_New(empty ? nullptr : PyTuple_GET_ITEM(captures, first_cell + i));
      if (!cell) return nullptr;
      PyTuple_SET_ITEM(closure.get(), i, cell);
    }
    if (!closure) return nullptr;
    Py_XSETREF(function->func_closure, closure.release());
  }
  Py_SETREF(function->func_name, Py_NewRef(model->func_name));
  Py_XSETREF(function->func_module, Py_XNewRef(model->func_module));
  if (model->func_dict) Py_XSETREF(function->func_dict, Py_NewRef(model->func_dict));
  return made.release();
}

// What is called: a new reference.
PyObject* callable_of(CarriedBehavior& b, PyObject* captures, Py_ssize_t first_cell, PyObject** names) {
  if (!b.recipe) return Py_NewRef(PyTuple_GET_ITEM(captures, 0));
  const Template* found = home().station->find_template(*b.recipe);
  if (!found) return nullptr;
  *names = b.keywords ? found->keywords : nullptr;
  if (!PyFunction_Check(found->function) || (!b.cells && !b.recipe->stores_globals())) {
    return Py_NewRef(found->function);
  }
  return fresh_function(reinterpret_cast<PyFunctionObject*>(found->function), b, captures, first_cell);
}

}  // namespace

PyObject* call_carried(CarriedBehavior& b) {
  Ref captures;
  if (b.captures) {
    captures = Ref(decode(*b.captures));
    if (!captures) return nullptr;
  }
  const Py_ssize_t callables = b.recipe ? 0 : 1;
  const Py_ssize_t first_cell = callables + b.bound + b.positional + b.keywords;
  PyObject* names = nullptr;
  Ref callable(callable_of(b, captures.get(), first_cell, &names));
  if (!callable) return nullptr;
  Ref kept_names(Py_XNewRef(names));  // the template may go while its function runs
  Arguments arguments(size_t{b.bound} + b.parameters + b.positional + b.keywords);
  if (arguments.failed()) return nullptr;
  Py_ssize_t at = callables;
  if (b.bound) arguments.add(Py_NewRef(PyTuple_GET_ITEM(captures.get(), at++)));
  if (!add_cowns(b, arguments)) return nullptr;
  for (uint32_t i = 0; i < b.positional + b.keywords; ++i) {
    arguments.add(Py_NewRef(PyTuple_GET_ITEM(captures.get(), at++)));
  }
  captures = Ref();
  return arguments.call(callable.get(), b.keywords, kept_names.get());
}

}  // namespace boc::py
