// What is known about one code object: analysed once, kept in its extra slot, freed with it.
#pragma once

#include <atomic>

#include "compat.h"

namespace boc::py {

struct KeptRecipe;
struct Shelf;
struct Site;

struct CodeInfo {
  // Exact tuples of interned str, never null. They refer to nothing that could refer back to the code.
  PyObject* names = nullptr;       // globals that the code and its nested codes load
  PyObject* attributes = nullptr;  // (name, attribute) pairs read directly from a named global
  PyObject* parameters = nullptr;  // positional parameters in order
  PyObject* keyword_only = nullptr;
  PyObject* freevars = nullptr;  // in the order of the closure
  // (kind, name, line) of the first store or deletion of a global or nonlocal name; null if there is none.
  PyObject* first_store = nullptr;
  Py_ssize_t name_count = 0;
  bool dynamic = false;  // names globals, eval or exec: may reach any global
  std::atomic<bool> warned_store{false};
  std::atomic<bool> warned_size{false};

  // The code that clones run (see clone.h), made at the first clone.
  std::atomic<PyObject*> clone_code{nullptr};
  // Kept clones (see shelf.h), made at the first one.
  std::atomic<Shelf*> shelves{nullptr};

  // Set by whoever counts the behaviors of this code; given back when the code goes.
  std::atomic<Site*> site{nullptr};
  void (*free_site)(Site*) noexcept = nullptr;

  // Kept by the sub-interpreter backend (kept_recipes.h); given back when the code goes.
  KeptRecipe* recipes = nullptr;
  void (*free_recipes)(CodeInfo*) noexcept = nullptr;

  PyInterpreterState* owner = nullptr;
  CodeInfo* previous = nullptr;  // the list of those with kept clones, guarded by its mutex
  CodeInfo* next = nullptr;
  std::atomic<bool> listed{false};
};

// The info of `code`, or null with an error set. Owned by the code object. The first call for a code object
// runs Python code (the analysis); later calls cost a few nanoseconds.
CodeInfo* code_info(PyCodeObject* code);

// In the child of a fork: threads of other interpreters may have held the locks around all this.
void code_infos_after_fork() noexcept;
void clones_after_fork() noexcept;

// Drops every kept clone of this interpreter (called by wait()). Needs a thread state; may run destructors.
void drop_clones();

}  // namespace boc::py
