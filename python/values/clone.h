// Bound clones: a function whose cells and named globals keep the binding of one moment.
//
// A clone runs a code object of its own (the same code, copied once), so that a code object which keeps
// clones is not kept alive by them. On 3.13t that copy carries CO_NESTED: functions of other code would never
// be freed there. The last few clones and private globals dicts are kept per code object (see shelf.h).
#pragma once

#include "code_info.h"
#include "compat.h"
#include "shelf.h"

namespace boc::py {

// What a function's names and cells are bound to at one moment.
class Bindings {
 public:
  Bindings() = default;
  Bindings(const Bindings&) = delete;
  Bindings& operator=(const Bindings&) = delete;
  ~Bindings();

  // Reads the present bindings. 0, or -1 with an error.
  int read(PyFunctionObject* function, CodeInfo* info);

  // True if the function can be called as it is: it has no cells, stores nothing, and all it names are
  // built-ins, and modules, functions and classes under their own names.
  bool nothing_to_bind() const noexcept { return globals_stable_ && cells_ == 0; }

  Py_ssize_t cells() const noexcept { return cells_; }
  PyObject** cell(Py_ssize_t i) noexcept { return values_ + names_ + i; }  // null: an empty cell
  // A clone of these bindings serves one behavior only: what a cell holds is not to be kept.
  void for_one_behavior() noexcept { once_ = true; }
  // Nor is what a name stands for, unless it goes anywhere as it is.
  void names_for_one_behavior() noexcept;

  // A new reference to the function to call.
  PyObject* bind(PyFunctionObject* function, CodeInfo* info);

 private:
  static constexpr Py_ssize_t kInline = 16;

  int read_names(PyFunctionObject* function, CodeInfo* info);
  PyObject* globals_for(const Wanted& wanted, CodeInfo* info, bool* known);
  PyObject* fresh_globals(PyFunctionObject* function, CodeInfo* info, PyObject* model);
  PyObject* new_function(PyFunctionObject* function, CodeInfo* info, PyObject* globals);

  PyObject* inline_[kInline];
  PyObject** values_ = inline_;  // names first, then cells; null: does not resolve, or empty
  Py_ssize_t names_ = 0;
  Py_ssize_t cells_ = 0;
  bool globals_stable_ = true;
  bool once_ = false;
  bool names_once_ = false;
};

// The code that copies of functions with this code may run: `code` itself, or its copy where CPython would
// leak the functions. Borrowed from the code object.
PyObject* leakproof_code(PyCodeObject* code);

// The info is about to be freed: drops its clones.
void forget_clones(CodeInfo* info);

}  // namespace boc::py
