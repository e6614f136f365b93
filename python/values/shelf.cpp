#include "shelf.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <new>

#include "clone.h"

namespace boc::py {

// One kept clone or dict: a block of its own, so that it can be taken off a shelf under a lock without
// allocating and be dropped (which may run destructors) after it.
struct Kept {
  Kept* next;
  PyObject* clone;    // null: only the dict is kept
  PyObject* globals;  // private, or the function's own
  PyObject* module;   // the function's __module__ (may be null)
  PyObject* builtins;
  bool own_globals;
  Py_ssize_t names;
  Py_ssize_t cells;
  PyObject* values[1];  // names + cells of them
};

#ifdef Py_GIL_DISABLED
constexpr unsigned kShelves = 8;
#else
constexpr unsigned kShelves = 1;
#endif
constexpr unsigned kPlaces = 4;

struct alignas(64) Shelf {
#ifdef Py_GIL_DISABLED
  Mutex mutex;
#endif
  Kept* places[kPlaces]{};
  unsigned next = 0;
};

namespace {

constexpr int kMaxListed = 256;

Mutex list_mutex;
CodeInfo* oldest = nullptr;
CodeInfo* newest = nullptr;
int listed_count = 0;

class ShelfLock {
 public:
#ifdef Py_GIL_DISABLED
  explicit ShelfLock(Shelf& shelf) noexcept : shelf_(shelf) { shelf_.mutex.lock(); }
  ~ShelfLock() { shelf_.mutex.unlock(); }

 private:
  Shelf& shelf_;
#else
  explicit ShelfLock(Shelf&) noexcept {}
  ~ShelfLock() {}
#endif
};

Shelf& own_shelf(Shelf* shelves) noexcept {
#ifdef Py_GIL_DISABLED
  static std::atomic<unsigned> threads{0};
  static thread_local unsigned slot = threads.fetch_add(1, std::memory_order_relaxed) % kShelves;
  return shelves[slot];
#else
  return shelves[0];
#endif
}

Shelf* shelves_of(CodeInfo* info) {
  Shelf* shelves = info->shelves.load(std::memory_order_acquire);  // pairs with the exchange below
  if (shelves) return shelves;
  auto* made = new (std::nothrow) Shelf[kShelves];
  if (!made) return nullptr;
  if (info->shelves.compare_exchange_strong(shelves, made, std::memory_order_acq_rel)) return made;
  delete[] made;
  return shelves;
}

void drop(Kept* kept) {
  while (kept) {
    Kept* next = kept->next;
    for (Py_ssize_t i = 0; i < kept->names + kept->cells; ++i) Py_XDECREF(kept->values[i]);
    Py_XDECREF(kept->clone);
    Py_DECREF(kept->globals);
    Py_XDECREF(kept->module);
    Py_DECREF(kept->builtins);
    PyMem_Free(kept);
    kept = next;
  }
}

bool same_names(const Kept* kept, const Wanted& wanted) noexcept {
  return std::equal(wanted.values, wanted.values + wanted.names, kept->values);
}

bool same_cells(const Kept* kept, const Wanted& wanted) noexcept {
  return kept->cells == wanted.cells &&
         std::equal(wanted.values + wanted.names, wanted.values + wanted.names + wanted.cells,
                    kept->values + kept->names);
}

bool same_module(const Kept* kept, const Wanted& wanted) noexcept {
  return !kept->own_globals && kept->module == wanted.function->func_module &&
         kept->builtins == wanted.function->func_builtins;
}

bool serves(const Kept* kept, const Wanted& wanted) noexcept {
  if (kept->own_globals != wanted.own_globals) return false;
  bool globals = wanted.own_globals ? kept->globals == wanted.function->func_globals
                                    : same_module(kept, wanted) && same_names(kept, wanted);
  return globals && same_cells(kept, wanted) &&
         reinterpret_cast<PyFunctionObject*>(kept->clone)->func_dict == wanted.function->func_dict;
}

// On free-threaded builds a clone serves one behavior at a time: two workers that run the same function
// object fight for its reference count.
bool is_free([[maybe_unused]] const Kept* kept) noexcept {
#ifdef Py_GIL_DISABLED
  return Py_REFCNT(kept->clone) == 1;
#else
  return true;
#endif
}

// True if every place has a clone with just these bindings: many behaviors with them are pending, and keeping
// one more gains nothing.
bool all_serve(Shelf& shelf, const Wanted& wanted, PyObject* clone) noexcept {
  if (!clone) return false;
  ShelfLock lock(shelf);
  return std::all_of(std::begin(shelf.places), std::end(shelf.places),
                     [&](const Kept* kept) { return kept && kept->clone && serves(kept, wanted); });
}

// Takes everything off the shelves of `info`. The caller keeps `info` alive.
Kept* empty_shelves(CodeInfo* info) noexcept {
  Shelf* shelves = info->shelves.load(std::memory_order_acquire);
  Kept* taken = nullptr;
  for (unsigned s = 0; shelves && s < kShelves; ++s) {
    ShelfLock lock(shelves[s]);
    for (Kept*& place : shelves[s].places) {
      if (!place) continue;
      place->next = taken;
      taken = place;
      place = nullptr;
    }
  }
  return taken;
}

// With list_mutex held.
void unlink(CodeInfo* info) noexcept {
  (info->previous ? info->previous->next : oldest) = info->next;
  (info->next ? info->next->previous : newest) = info->previous;
  info->previous = info->next = nullptr;
  // Before the shelves are emptied: who puts something there later finds the flag down and lists the info
  // again.
  info->listed.store(false, std::memory_order_relaxed);
  --listed_count;
}

// Lists `info`. The clones of another one, if that has to go for it, are returned to be dropped.
Kept* list(CodeInfo* info) noexcept {
  std::lock_guard lock(list_mutex);
  if (info->listed.load(std::memory_order_relaxed)) return nullptr;
  info->previous = newest;
  (newest ? newest->next : oldest) = info;
  newest = info;
  info->listed.store(true, std::memory_order_relaxed);
  if (++listed_count <= kMaxListed) return nullptr;
  for (CodeInfo* other = oldest; other != info; other = other->next) {
    if (other->owner != info->owner) continue;
    unlink(other);
    return empty_shelves(other);
  }
  return nullptr;
}

Kept* make_kept(const Wanted& wanted, PyObject* globals, PyObject* clone) {
  Py_ssize_t count = wanted.names + wanted.cells;
  void* memory = PyMem_Malloc(sizeof(Kept) + static_cast<size_t>(count) * sizeof(PyObject*));
  if (!memory) {
    PyErr_NoMemory();
    return nullptr;
  }
  auto* kept = new (memory) Kept{nullptr,
                                 Py_XNewRef(clone),
                                 Py_NewRef(globals),
                                 Py_XNewRef(wanted.function->func_module),
                                 Py_NewRef(wanted.function->func_builtins),
                                 wanted.own_globals,
                                 wanted.names,
                                 wanted.cells,
                                 {nullptr}};
  for (Py_ssize_t i = 0; i < count; ++i) kept->values[i] = Py_XNewRef(wanted.values[i]);
  return kept;
}

}  // namespace

PyObject* find_clone(CodeInfo* info, const Wanted& wanted) noexcept {
  Shelf* shelves = info->shelves.load(std::memory_order_acquire);
  if (!shelves) return nullptr;
  Shelf& shelf = own_shelf(shelves);
  ShelfLock lock(shelf);
  for (const Kept* kept : shelf.places) {
    if (kept && kept->clone && serves(kept, wanted) && is_free(kept)) return Py_NewRef(kept->clone);
  }
  return nullptr;
}

PyObject* find_globals(CodeInfo* info, const Wanted& wanted, bool* exact) noexcept {
  *exact = false;
  Shelf* shelves = info->shelves.load(std::memory_order_acquire);
  if (!shelves) return nullptr;
  Shelf& shelf = own_shelf(shelves);
  ShelfLock lock(shelf);
  PyObject* other = nullptr;
  for (const Kept* kept : shelf.places) {
    if (!kept || !same_module(kept, wanted)) continue;
    if (same_names(kept, wanted)) {
      *exact = true;
      return Py_NewRef(kept->globals);
    }
    other = kept->globals;
  }
  return Py_XNewRef(other);
}

int keep_clone(CodeInfo* info, const Wanted& wanted, PyObject* globals, PyObject* clone) {
  Shelf* shelves = shelves_of(info);
  if (shelves && all_serve(own_shelf(shelves), wanted, clone)) return 0;
  Kept* kept = make_kept(wanted, globals, clone);
  if (!shelves || !kept) {
    drop(kept);
    PyErr_NoMemory();
    return -1;
  }
  Kept* replaced = nullptr;
  {
    Shelf& shelf = own_shelf(shelves);
    ShelfLock lock(shelf);
    Kept*& place = shelf.places[shelf.next++ % kPlaces];
    replaced = place;
    place = kept;
  }
  if (!info->listed.load(std::memory_order_relaxed)) drop(list(info));
  drop(replaced);
  return 0;
}

void forget_clones(CodeInfo* info) {
  {
    std::lock_guard lock(list_mutex);
    if (info->listed.load(std::memory_order_relaxed)) unlink(info);
  }
  drop(empty_shelves(info));
  delete[] info->shelves.load(std::memory_order_relaxed);
}

void clones_after_fork() noexcept {
  new (&list_mutex) Mutex;
}

void drop_clones() {
  PyInterpreterState* here = PyInterpreterState_Get();
  Kept* taken = nullptr;
  {
    std::lock_guard lock(list_mutex);
    for (CodeInfo* info = oldest; info;) {
      CodeInfo* next = info->next;
      if (info->owner == here) {
        unlink(info);
        Kept* more = empty_shelves(info);
        while (more) {
          Kept* rest = more->next;
          more->next = taken;
          taken = more;
          more = rest;
        }
      }
      info = next;
    }
  }
  drop(taken);
}

}  // namespace boc::py
