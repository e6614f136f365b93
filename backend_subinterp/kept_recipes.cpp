#include "kept_recipes.h"

#include <algorithm>
#include <new>

#include "carry_bridge.h"
#include "py_errors.h"
#include "site.h"
#include "station.h"

namespace boc::py {

// A recipe, and what must still hold for it to be the function's: each watch is a name in a namespace with what was
// found there (null: nothing).
struct KeptRecipe {
  Recipe* recipe;  // a reference
  KeptRecipe* next = nullptr;
  PyObject* globals;     // of the function
  PyObject* attributes;  // func_dict or null
  Py_ssize_t watches = 0;
  PyObject** watched = nullptr;  // 3 strong references each; the last may be null

  ~KeptRecipe() {
    recipe->unref();
    Py_DECREF(globals);
    Py_XDECREF(attributes);
    for (Py_ssize_t i = 0; i < 3 * watches; ++i) Py_XDECREF(watched[i]);
    PyMem_Free(watched);
  }
};

namespace {

constexpr int kMost = 4;  // recipes of one code object

#ifdef Py_GIL_DISABLED
Mutex kept_mutex;
std::unique_lock<Mutex> lock_kept() {
  return std::unique_lock(kept_mutex);
}
#else
bool lock_kept() {
  return true;  // the home's GIL: nothing below runs Python code
}
#endif

void drop(KeptRecipe* kept) noexcept {
  while (kept) {
    KeptRecipe* next = kept->next;
    delete kept;
    kept = next;
  }
}

KeptRecipe* take_all(CodeInfo* info) noexcept {
  [[maybe_unused]] auto guard = lock_kept();
  std::erase(home().station->with_recipes, info);
  return std::exchange(info->recipes, nullptr);
}

void free_recipes(CodeInfo* info) noexcept {
  drop(take_all(info));
}

bool still_holds(const KeptRecipe& kept) noexcept {
  for (Py_ssize_t i = 0; i < kept.watches; ++i) {
    PyObject** watch = kept.watched + 3 * i;
    PyObject* present = dict_get(watch[0], watch[1]);
    const bool same = present == watch[2];
    Py_XDECREF(present);
    if (!same) {
      PyErr_Clear();
      return false;
    }
  }
  return true;
}

// Null if it has none: looking at a function makes it an empty dict.
PyObject* attributes_of(const PyFunctionObject* function) noexcept {
  PyObject* dict = function->func_dict;
  return dict && PyDict_GET_SIZE(dict) ? dict : nullptr;
}

bool serves(const KeptRecipe& kept, const PyFunctionObject* function) noexcept {
  return kept.globals == function->func_globals && kept.attributes == attributes_of(function) && still_holds(kept);
}

// Puts it first, without the oldest if there are many.
void keep(CodeInfo* info, KeptRecipe* made) {
  KeptRecipe* dead = nullptr;
  {
    [[maybe_unused]] auto guard = lock_kept();
    if (!info->recipes) {
      home().station->with_recipes.push_back(info);
      info->free_recipes = free_recipes;
    }
    made->next = info->recipes;
    info->recipes = made;
    KeptRecipe* at = made;
    for (int i = 1; i < kMost && at; ++i) at = at->next;
    if (at) dead = std::exchange(at->next, nullptr);
  }
  drop(dead);
}

// Reads _carry.pack_function()'s list of watches. -1 with an error.
int read_watches(KeptRecipe* kept, PyObject* watches) {
  Ref missing(module_attribute("bocpy._carry", "MISSING"));
  Ref items(missing ? PySequence_Tuple(watches) : nullptr);
  if (!items) return -1;
  const Py_ssize_t count = PyTuple_GET_SIZE(items.get());
  kept->watched = static_cast<PyObject**>(PyMem_Calloc(static_cast<size_t>(3 * count + 1), sizeof(PyObject*)));
  if (!kept->watched) {
    PyErr_NoMemory();
    return -1;
  }
  for (; kept->watches < count; ++kept->watches) {
    PyObject *dict, *name, *value;
    if (!PyArg_ParseTuple(PyTuple_GET_ITEM(items.get(), kept->watches), "O!UO", &PyDict_Type, &dict, &name, &value)) {
      return -1;
    }
    PyObject** watch = kept->watched + 3 * kept->watches;
    watch[0] = Py_NewRef(dict);
    watch[1] = Py_NewRef(name);
    watch[2] = value == missing.get() ? nullptr : Py_NewRef(value);
  }
  return 0;
}

KeptRecipe* make_kept(PyFunctionObject* function, Recipe* recipe) {
  recipe->ref();
  return new KeptRecipe{recipe, nullptr, Py_NewRef(function->func_globals), Py_XNewRef(attributes_of(function))};
}

bool stores_globals(const CodeInfo* info) noexcept {
  if (!info->first_store) return false;
  PyObject* kind = PyTuple_GET_ITEM(info->first_store, 0);
  return PyUnicode_CompareWithASCIIString(kind, "global") == 0;
}

Recipe* pack(PyFunctionObject* function, CodeInfo* info) {
  Encoded* packed = nullptr;
  PyObject* watches = nullptr;
  bool mutable_data = false;
  if (pack_function(reinterpret_cast<PyObject*>(function), &packed, &watches, &mutable_data) < 0) return nullptr;
  EncodedRef bytes(packed);
  Ref watched(watches);
  Recipe* recipe = Recipe::find_or_make(std::move(bytes), site_of(info, function->func_code),
                                        mutable_data || attributes_of(function), stores_globals(info));
  KeptRecipe* kept = make_kept(function, recipe);
  if (read_watches(kept, watched.get()) < 0) {
    delete kept;
    recipe->unref();
    return nullptr;
  }
  keep(info, kept);
  // It may run where it is scheduled, with what it names there.
  if (!home().main() && !recipe->stores_globals()) {
    home().station->adopt_template(*recipe, reinterpret_cast<PyObject*>(function));
  }
  return recipe;
}

}  // namespace

Recipe* recipe_of(PyFunctionObject* function, CodeInfo* info) {
  Recipe* known = nullptr;
  bool fits = false;
  {
    [[maybe_unused]] auto guard = lock_kept();
    for (KeptRecipe* kept = info->recipes; kept; kept = kept->next) {
      if (!serves(*kept, function)) continue;
      known = kept->recipe;
      known->ref();
      fits = !known->mutable_data() || known->pending();
      break;
    }
  }
  if (fits) return known;
  Recipe* made = pack(function, info);
  if (known) known->unref();
  return made;
}

void forget_kept_recipes() noexcept {
#ifdef Py_GIL_DISABLED
  new (&kept_mutex) Mutex;
#endif
  for (CodeInfo* info : home().station->with_recipes) info->recipes = nullptr;
}

void drop_kept_recipes() noexcept {
  KeptRecipe* all = nullptr;
  {
    [[maybe_unused]] auto guard = lock_kept();
    for (CodeInfo* info : home().station->with_recipes) {
      KeptRecipe* taken = std::exchange(info->recipes, nullptr);
      while (taken) {
        KeptRecipe* next = taken->next;
        taken->next = all;
        all = taken;
        taken = next;
      }
    }
    home().station->with_recipes.clear();
  }
  drop(all);
}

}  // namespace boc::py
