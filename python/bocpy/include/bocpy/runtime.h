/* The running bocpy, for other extension modules: a table of functions that the module asks for once, when it is
 * imported. C11 and C++17; header only, nothing to link. C++ has more comfort in when.hpp.
 *
 *   static const bocpy_api *api;                 one for the process: all interpreters get the same table
 *   if (!(api = bocpy_import())) return -1;      in the exec slot; ImportError if bocpy is too old or too new
 *
 * All functions are called attached to an interpreter. Those that can fail say how; an error is set then.
 */
#ifndef BOCPY_RUNTIME_H
#define BOCPY_RUNTIME_H

#include "bocpy.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when something in the table changes; what is added goes to its end and changes `size` alone. */
#define BOCPY_API_VERSION 1

/* A cown: the same one in every interpreter, unlike its handles, the Python objects. Counted. */
typedef struct bocpy_cown bocpy_cown;

/* What becomes of the original while the functions that its type has registered are at work. */
enum {
  BOCPY_MOVE = 0, /* it is given up: it was given to a cown, or its cown needs it elsewhere */
  BOCPY_COPY = 1  /* it stays in use: a capture, a result(), a reader in another interpreter */
};

enum { BOCPY_READ = 1 }; /* of a request: the behavior only reads */

typedef struct bocpy_request {
  bocpy_cown* cown;
  uint32_t flags;
} bocpy_request;

typedef struct bocpy_body {
  /* Called by a worker, attached to its interpreter, when the behavior holds its cowns: the result's value as a new
   * reference, or NULL with an error, which is stored in the result. */
  PyObject* (*run)(void* argument);
  /* Called once for an `argument` that is not NULL: after run, or instead of it if the behavior is cancelled or cannot
   * be scheduled. Attached, in whatever interpreter. */
  void (*drop)(void* argument);
  void* argument;
} bocpy_body;

typedef struct bocpy_api {
  uint32_t version; /* BOCPY_API_VERSION of the bocpy that is installed */
  uint32_t size;    /* of its table */

  /* For XIDATA_GETDATA_FUNCs and what they give to XIDATA_INIT: BOCPY_MOVE or BOCPY_COPY. Outside bocpy BOCPY_MOVE. */
  int (*transfer)(void);

  /* On the threads backend nothing is carried: objects of exactly this type are told instead. `given` is called when an
   * object becomes the value of a cown, and with NULL when it no longer is one. It must not run Python code. Objects
   * inside containers are not told. On the sub-interpreter backend this does nothing. 0, or -1 with MemoryError. */
  int (*watch)(PyTypeObject* type, void (*given)(PyObject* object, bocpy_cown* cown));
  /* May the calling behavior or thread use this cown's value? For what `given` was told, though the cown may be gone. */
  int (*holds)(const bocpy_cown* cown);

  /* The cown behind a Python handle, with a reference; NULL with TypeError or, in a forked child, RuntimeError. */
  bocpy_cown* (*cown_of)(PyObject* handle);
  /* A handle in the interpreter that the caller is attached to; NULL with an error. Its `value` is the Python value. */
  PyObject* (*handle_of)(bocpy_cown* cown);
  void (*keep)(bocpy_cown* cown);   /* one reference more */
  void (*let_go)(bocpy_cown* cown); /* one less; the last one drops the cown */

  /* A cown with an object that is not Python's (for Python its value is None). `type` names the object's type and is
   * compared as a string; it must stay valid. destroy(object) is called once, by any thread, and must not touch Python.
   * NULL with an error; then destroy has been called. */
  bocpy_cown* (*make_native)(void* object, const char* type, void (*destroy)(void* object));
  /* The object, for who holds the cown. NULL with an error: RuntimeError if it is not held (or, to write, only for
   * reading), TypeError if it has none of that type; what a failed behavior raised. */
  void* (*native)(bocpy_cown* cown, const char* type, int to_write);
  /* Gives another object to a cown that the caller holds to write, or to result(). The result of a behavior that has
   * failed stays failed until it is given a Python value. -1 with an error; then destroy has been called. */
  int (*set_native)(bocpy_cown* cown, void* object, const char* type, void (*destroy)(void* object));

  /* Schedules a behavior as @when does: in the current scope and batch, on the scheduler that Python's behaviors have,
   * which is started if need be. The result with a reference, or NULL with an error; then `drop` has been called. */
  bocpy_cown* (*schedule)(const bocpy_request* requests, size_t count, const bocpy_body* body);
  /* In a body: the cown that its result will be in, borrowed. Elsewhere NULL, without an error. */
  bocpy_cown* (*result)(void);
} bocpy_api;

#define BOCPY_API_CAPSULE "bocpy._bocpy._C_API"

static inline BOCPY_UNUSED const bocpy_api* bocpy_import(void) {
  const bocpy_api* api = (const bocpy_api*)PyCapsule_Import(BOCPY_API_CAPSULE, 0);
  if (!api) {
    if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
      PyErr_SetString(PyExc_ImportError,
                      "the bocpy that is installed has no C interface: this extension module needs a newer bocpy-dual");
    }
    return NULL;
  }
  if (api->version == BOCPY_API_VERSION && api->size >= sizeof(bocpy_api)) return api;
  PyErr_Format(
      PyExc_ImportError,
      "this extension module was built for version %d of bocpy's C interface (%d bytes), but the bocpy that is "
      "installed has version %d (%d bytes): build the module again with this bocpy, or install the other one",
      BOCPY_API_VERSION, (int)sizeof(bocpy_api), (int)api->version, (int)api->size);
  return NULL;
}

#ifdef __cplusplus
}
#endif

#endif
