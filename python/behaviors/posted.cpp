#include "posted.h"

#include "py_backend.h"

namespace boc::py {

bool to_posted_value(PyObject* value, PostedValue* out) {
  if (to_atom(value, out->atom)) return true;
  out->atom.kind = Atom::kNothing;
  out->posted = backend().post(value);
  return out->posted != nullptr;
}

}  // namespace boc::py
