#include "heap_type.h"

#include <cstdint>

namespace boc::py {

void immortalize(PyObject* o) noexcept {
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
  PyUnstable_Object_EnableDeferredRefcount(o);
#elif defined(Py_GIL_DISABLED)
  // The documented way comes with 3.14; a count in the immortal range does it on 3.13.
  Py_SET_REFCNT(o, static_cast<Py_ssize_t>(UINT32_MAX) + 1);
#else
  (void)o;
#endif
}

PyTypeObject* make_type(PyObject* module, PyType_Spec* spec, PyTypeObject* base) {
  Ref bases(base ? PyTuple_Pack(1, base) : nullptr);
  PyObject* type = PyType_FromModuleAndSpec(module, spec, bases.get());
  if (!type) return nullptr;
  immortalize(type);
  return reinterpret_cast<PyTypeObject*>(type);
}

}  // namespace boc::py
