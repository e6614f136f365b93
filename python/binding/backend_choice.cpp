#include "backend_choice.h"

#include "thread_backend.h"

#if PY_VERSION_HEX >= 0x030C0000
#include "carry_bridge.h"
#include "library.h"
#include "main_service.h"
#include "subinterp_backend.h"
#include "surroundings.h"
#endif

namespace boc::py {
namespace {

bool chosen = false;

}  // namespace

PyBackend& make_backend(bool sub_interpreters) {
  chosen = sub_interpreters;
#if PY_VERSION_HEX >= 0x030C0000
  if (sub_interpreters) return *new SubinterpBackend;
#endif
  return *new ThreadBackend;
}

int add_backend_functions([[maybe_unused]] PyObject* module) {
#if PY_VERSION_HEX >= 0x030C0000
  for (PyMethodDef* methods : {carry_methods, library_methods, service_methods, surroundings_methods}) {
    if (PyModule_AddFunctions(module, methods) < 0) return -1;
  }
#endif
  return 0;
}

bool sub_interpreters_chosen() noexcept {
  return chosen;
}

}  // namespace boc::py
