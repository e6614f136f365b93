#include "c_api.h"

#include <bocpy/runtime.h>

#include <cstring>
#include <new>

#include "backend_choice.h"
#include "collect.h"
#include "encoded.h"
#include "native_value.h"
#include "runtime.h"
#include "scope_object.h"
#include "watched.h"
#include "xidata.h"

namespace boc::py {
namespace {

Payload* payload_of(bocpy_cown* cown) noexcept {
  return reinterpret_cast<Payload*>(cown);
}
bocpy_cown* cown_of(Payload* payload) noexcept {
  return reinterpret_cast<bocpy_cown*>(payload);
}

int api_transfer() {
  return current_transfer() == Transfer::copy ? BOCPY_COPY : BOCPY_MOVE;
}

int api_watch(PyTypeObject* type, void (*given)(PyObject* object, bocpy_cown* cown)) {
  if (sub_interpreters_chosen()) return 0;
  return watch_type(type, reinterpret_cast<void (*)(PyObject*, Payload*)>(given));
}

// Compares addresses only: the cown may be gone.
int api_holds(const bocpy_cown* cown) {
  const auto* payload = reinterpret_cast<const Payload*>(cown);
  Context& c = context();
  if (c.current) return c.current->find(payload) != nullptr;
  return c.find(payload) || runtime().open_access();
}

bocpy_cown* api_cown_of(PyObject* handle) {
  if (!is_cown_object(handle)) {
    PyErr_Format(PyExc_TypeError, "a cown is needed here, not %.100s", Py_TYPE(handle)->tp_name);
    return nullptr;
  }
  Payload* payload = boc::py::payload_of(handle);
  if (check_generation(payload) < 0) return nullptr;
  payload->ref();
  return cown_of(payload);
}

PyObject* api_handle_of(bocpy_cown* cown) {
  return wrap_kept_payload(payload_of(cown));
}

void api_keep(bocpy_cown* cown) {
  keep_payload(payload_of(cown));
}

void api_let_go(bocpy_cown* cown) {
  let_go_payload(payload_of(cown));
}

bocpy_cown* api_make_native(void* object, const char* type, void (*destroy)(void*)) {
  Payload* payload = backend().make_payload(Py_NewRef(Py_None));
  if (!payload) {
    destroy(object);
    return nullptr;
  }
  if (set_native_value(*payload, {object, type, destroy}) == 0) return cown_of(payload);
  PyObject* raised = take_exception();
  let_go_payload(payload);
  raise_exception(raised);
  return nullptr;
}

bool is_own_result(const Payload* payload) noexcept {
  const PyBehavior* current = context().current;
  return current && current->result == payload;
}

// 0, or -1 with an error.
int check_access(Payload* payload, bool to_write) {
  if (is_own_result(payload)) return 0;
  const Access access = access_to(payload);
  if (access == Access::NONE) return -1;
  if (!to_write || access == Access::WRITE) return 0;
  PyErr_SetString(PyExc_RuntimeError,
                  access == Access::READ
                      ? "the cown is held by read(): others may be reading it now, so its value cannot be changed. "
                        "Schedule a behavior on the cown itself"
                      : "this thread does not hold the cown, so its value cannot be changed. Use `with cown:`, or "
                        "schedule a behavior on it");
  return -1;
}

void* api_native(bocpy_cown* cown, const char* type, int to_write) {
  Payload* payload = payload_of(cown);
  if (check_access(payload, to_write != 0) < 0) return nullptr;
  if (payload->failed.load(relaxed)) {
    raise_stored(payload, to_write != 0);
    return nullptr;
  }
  const NativeValue* value = payload->native;
  if (value && (value->type == type || std::strcmp(value->type, type) == 0)) return value->object;
  PyErr_Format(PyExc_TypeError, "this cown has no native value of type %.200s; it has %.200s", type,
               value ? value->type : "none");
  return nullptr;
}

int api_set_native(bocpy_cown* cown, void* object, const char* type, void (*destroy)(void*)) {
  Payload* payload = payload_of(cown);
  if (check_access(payload, true) == 0) return set_native_value(*payload, {object, type, destroy});
  destroy(object);
  return -1;
}

NativeBehavior* make_behavior(const bocpy_request* requests, size_t count, const bocpy_body& body) {
  NativeBehavior* b = backend().make_native(count);
  if (!b) {
    if (body.argument) body.drop(body.argument);
    return nullptr;
  }
  b->body = body.run;
  b->let_go = body.drop;
  b->argument = body.argument;
  b->keeps = true;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t flags = requests[i].flags & BOCPY_READ ? uint32_t{Request::READ} : 0;
    if (add_request(*b, payload_of(requests[i].cown), flags) == 0) {
      payload_of(requests[i].cown)->ref();
      continue;
    }
    PyObject* raised = take_exception();
    backend().unmake(*b);
    raise_exception(raised);
    return nullptr;
  }
  return b;
}

bocpy_cown* api_schedule(const bocpy_request* requests, size_t count, const bocpy_body* body) {
  if (runtime().refuse_closed() < 0) {
    if (body->argument) body->drop(body->argument);
    return nullptr;
  }
  NativeBehavior* b = make_behavior(requests, count, *body);
  if (!b) return nullptr;
  runtime().close_window();
  PyObject* handle = nullptr;
  if (!make_native(*b, current_scope(), &handle)) return nullptr;
  Payload* result = b->result;
  result->ref();  // before it is on its way: it may be over at once
  handle = send_off(*b, handle);
  if (!handle) {
    let_go_payload(result);
    return nullptr;
  }
  Py_DECREF(handle);
  return cown_of(result);
}

bocpy_cown* api_result() {
  const PyBehavior* current = context().current;
  return current ? cown_of(current->result) : nullptr;
}

constexpr bocpy_api table = {BOCPY_API_VERSION, sizeof(bocpy_api), api_transfer, api_watch,  api_holds,
                             api_cown_of,       api_handle_of,     api_keep,     api_let_go, api_make_native,
                             api_native,        api_set_native,    api_schedule, api_result};

}  // namespace

int add_c_api(PyObject* module) {
  Ref capsule(PyCapsule_New(const_cast<bocpy_api*>(&table), BOCPY_API_CAPSULE, nullptr));
  return capsule ? PyModule_AddObjectRef(module, "_C_API", capsule.get()) : -1;
}

}  // namespace boc::py
