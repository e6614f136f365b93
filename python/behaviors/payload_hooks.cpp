// What the codec asks of cowns (encoded.h).
#include "encoded.h"
#include "py_backend.h"

namespace boc::py {
void keep_payload(Payload* payload) noexcept {
  payload->ref();
}

void let_go_payload(Payload* payload) noexcept {
  if (!payload->unref()) return;
  if (attached()) {
    backend().drop(payload);
    return;
  }
  Context& here = context();  // dropped at this thread's next occasion
  payload->next_dead = here.dead;
  here.dead = payload;
}

Payload* payload_of_cown(PyObject* cown) noexcept {
  return payload_of(cown);
}

PyObject* wrap_kept_payload(Payload* payload) noexcept {
  payload->ref();
  return wrap_payload(payload);
}

}  // namespace boc::py
