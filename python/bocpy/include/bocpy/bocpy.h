/* For extension modules whose objects live in cowns. C11 and C++17; header only, nothing to link.
 *
 *   BOCPY_ABI                  what this header offers; compare with >=. It only grows
 *   xidata.h                   how objects of a type get from one interpreter to another
 *   BOCPY_NO_OWNER, bocpy_interpid(), bocpy_main_interpid()
 *                              who owns a piece of memory: an interpreter's number, or nobody, while it is on its way
 *   bocpy/runtime.h            the runtime itself, for who needs more: it is not included here
 *
 * The names of C11's atomics are there in C++ too (in the global namespace): atomic_int_least64_t, atomic_load,
 * atomic_store, atomic_fetch_add, atomic_compare_exchange_strong, all sequentially consistent; and thread_local in C.
 */
#ifndef BOCPY_BOCPY_H
#define BOCPY_BOCPY_H

#define BOCPY_ABI 1

#include "xidata.h"

#ifdef __cplusplus
#include <atomic>
using std::atomic_compare_exchange_strong;
using std::atomic_fetch_add;
using std::atomic_int_least64_t;
using std::atomic_load;
using std::atomic_store;
#else
#include <stdatomic.h>
#if !defined(thread_local) && (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 202311L)
#define thread_local _Thread_local
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define BOCPY_NO_OWNER ((int_least64_t) - 2)

/* The number of the interpreter that the calling thread, which must be attached to one, runs in. Workers of the
 * threads backend all run in the main interpreter. */
static inline BOCPY_UNUSED int_least64_t bocpy_interpid(void) {
  return (int_least64_t)PyInterpreterState_GetID(PyInterpreterState_Get());
}

static inline BOCPY_UNUSED int_least64_t bocpy_main_interpid(void) {
  return (int_least64_t)PyInterpreterState_GetID(PyInterpreterState_Main());
}

#ifdef __cplusplus
}
#endif

#endif
