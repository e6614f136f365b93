#include "surroundings.h"

#include <cstring>

#include "carry_bridge.h"
#include "decoder.h"
#include "main_service.h"
#include "py_backend.h"
#include "py_errors.h"
#include "site.h"

namespace boc::py {
namespace {

constexpr int FAILURE = 12;  // bocpy._worker_kinds.FAILURE

// What a FAILURE post consists of: both belong to it.
struct PostedFailure {
  Encoded* error;
  Site* origin;
};

int set_path(const std::vector<std::string>& path) {
  Ref list(PyList_New(0));
  for (const std::string& entry : path) {
    Ref text(list ? PyUnicode_DecodeFSDefaultAndSize(entry.data(), static_cast<Py_ssize_t>(entry.size())) : nullptr);
    if (!text || PyList_Append(list.get(), text.get()) < 0) return -1;
  }
  return list ? PySys_SetObject("path", list.get()) : -1;
}

// bocpy._worker.<name>(...); `format` as for Py_BuildValue. -1 with an error.
template <class... A>
int call_worker(const char* name, const char* format, A... arguments) {
  Ref function(module_attribute("bocpy._worker", name));
  if (!function) return -1;
  Ref done(PyObject_CallFunction(function.get(), format, arguments...));
  return done ? 0 : -1;
}

atomic<bool> imports_fail{false};

// From now on every @when looks at what its function imports.
PyObject* py_check_imports(PyObject*, PyObject*) {
  imports_fail.store(true, relaxed);
  Py_RETURN_NONE;
}

PyObject* py_report_failure(PyObject*, PyObject* data) {
  char* bytes;
  Py_ssize_t size;
  if (PyBytes_AsStringAndSize(data, &bytes, &size) < 0) return nullptr;
  PostedFailure posted;
  if (size != sizeof posted) return PyErr_Format(PyExc_ValueError, "no failure was posted");
  std::memcpy(&posted, bytes, sizeof posted);
  EncodedRef encoded(posted.error);
  Ref error(decode(*encoded));
  if (!error) error = Ref(take_exception());
  if (error) backend().failures().report(error.get(), posted.origin);
  let_go_site(posted.origin);
  Py_RETURN_NONE;
}

}  // namespace

PyMethodDef surroundings_methods[] = {{"_report_failure", py_report_failure, METH_O, nullptr},
                                      {"_check_imports", py_check_imports, METH_NOARGS, nullptr},
                                      {nullptr, nullptr, 0, nullptr}};

int take_snapshot(std::vector<std::string>& path, std::string& snapshot) {
  PyObject* entries = PySys_GetObject("path");
  Ref items(entries ? PySequence_Tuple(entries) : PyTuple_New(0));
  if (!items) return -1;
  path.clear();
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.get()); ++i) {
    PyObject* entry = PyTuple_GET_ITEM(items.get(), i);
    if (!PyUnicode_Check(entry)) continue;
    Ref bytes(PyUnicode_EncodeFSDefault(entry));
    if (!bytes) return -1;
    path.emplace_back(PyBytes_AS_STRING(bytes.get()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.get())));
  }
  Ref take(module_attribute("bocpy._snapshot", "take"));
  Ref taken(take ? PyObject_CallNoArgs(take.get()) : nullptr);
  char* data;
  Py_ssize_t size;
  if (!taken || PyBytes_AsStringAndSize(taken.get(), &data, &size) < 0) return -1;
  snapshot.assign(data, static_cast<size_t>(size));
  return 0;
}

bool begin_surroundings(Home& home, const std::vector<std::string>& path, const std::string& snapshot,
                        std::string& why) noexcept {
  if (set_path(path) == 0 && call_worker("begin", "iy#", static_cast<int>(home.index), snapshot.data(),
                                         static_cast<Py_ssize_t>(snapshot.size())) == 0) {
    return true;
  }
  why = take_error_text();
  return false;
}

bool resume_surroundings(const std::string& snapshot, std::string& why) noexcept {
  if (call_worker("resume", "y#", snapshot.data(), static_cast<Py_ssize_t>(snapshot.size())) == 0) return true;
  why = take_error_text();
  return false;
}

void pause_surroundings() noexcept {
  if (call_worker("pause", nullptr) < 0) PyErr_WriteUnraisable(nullptr);
}

void end_surroundings() noexcept {
  if (call_worker("end", nullptr) < 0) PyErr_Clear();
}

void let_output_go() noexcept {
  post_held_output();
}

void warm_up() noexcept {
  Ref loaded(PyImport_ImportModule("bocpy._carry_load"));
  PyErr_Clear();  // whoever needs it will be told
}

int deliver_to_main() {
  return deliveries_pending() ? deliver_pending() : 0;
}

int refuse_imports(PyObject* function) {
  if (!imports_fail.load(relaxed) || !home().main()) return 0;
  Ref check(module_attribute("bocpy._delivery", "refuse_imports"));
  Ref done(check ? PyObject_CallOneArg(check.get(), function) : nullptr);
  return done ? 0 : -1;
}

void report_in_main(PyObject* error, Site* origin) noexcept {
  PyObject* raised = take_exception();
  if (Encoded* encoded = pack_error(error)) {
    keep_site(origin);
    PostedFailure posted{encoded, origin};
    try {
      post_to_main(FAILURE, std::string(reinterpret_cast<const char*>(&posted), sizeof posted));
    } catch (const std::bad_alloc&) {
      encoded->unref();
      let_go_site(origin);
    }
  }
  PyErr_Clear();
  raise_exception(raised);
}

}  // namespace boc::py
