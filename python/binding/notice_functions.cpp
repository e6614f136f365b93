#include "notice_functions.h"

#include "arguments.h"
#include "cown_type.h"
#include "notice_update.h"
#include "notice_view.h"
#include "runtime.h"

namespace boc::py {
namespace {

// The key that an argument stands for; nothing, with an error, if it can be none.
std::optional<NoticeKey> to_key(PyObject* object) {
  if (!PyUnicode_Check(object)) {
    PyErr_Format(PyExc_TypeError, "noticeboard key must be a str, not %.100s", Py_TYPE(object)->tp_name);
    return std::nullopt;
  }
  Py_ssize_t size;
  const char* text = PyUnicode_AsUTF8AndSize(object, &size);
  if (!text) return std::nullopt;  // UnicodeEncodeError, a ValueError: a lone surrogate
  const std::string_view key(text, static_cast<size_t>(size));
  if (key.find('\0') != key.npos) {
    PyErr_SetString(PyExc_ValueError, "noticeboard key must not contain NUL characters");
    return std::nullopt;
  }
  if (key.size() > NoticeKey::MOST) {
    PyErr_Format(PyExc_ValueError, "noticeboard key must be at most %zu bytes long in UTF-8, not %zd", NoticeKey::MOST,
                 size);
    return std::nullopt;
  }
  return NoticeKey(key);
}

PyObject* none_if(int done) {
  if (done < 0) return nullptr;
  Py_RETURN_NONE;
}

int write(const char* signature, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  static const char* const names[] = {"key", "value"};
  PyObject* bound[2];
  if (bind_arguments(signature, names, 2, args, n, kwnames, bound) < 0) return -1;
  const std::optional<NoticeKey> key = to_key(bound[0]);
  PostedValue value;
  if (!key || !to_posted_value(bound[1], &value)) return -1;
  return noticeboard().put(*key, std::move(value));
}

PyObject* py_notice_write(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  return none_if(write("notice_write(key, value)", args, n, kwnames));
}

PyObject* py_notice_seed(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  if (here() || !home().main()) {
    PyErr_SetString(PyExc_RuntimeError,
                    "notice_seed() is for the primary interpreter, outside workers: behaviors use notice_write()");
    return nullptr;
  }
  if (write("notice_seed(key, value)", args, n, kwnames) < 0) return nullptr;
  Py_CLEAR(context().notices);  // the calling thread sees it at once, also in a behavior
  Py_RETURN_NONE;
}

PyObject* py_notice_update(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  static const char* const names[] = {"key", "fn", "default"};
  PyObject* bound[3];
  if (bind_arguments("notice_update(key, fn, default=None)", names, 2, args, n, kwnames, bound) < 0) return nullptr;
  const std::optional<NoticeKey> key = to_key(bound[0]);
  if (!key) return nullptr;
  if (!PyCallable_Check(bound[1])) {
    PyErr_Format(PyExc_TypeError, "notice_update(): fn must be callable, not %.100s", Py_TYPE(bound[1])->tp_name);
    return nullptr;
  }
  return none_if(update_notice(*key, bound[1], bound[2] ? bound[2] : Py_None));
}

PyObject* py_notice_delete(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  static const char* const names[] = {"key"};
  PyObject* bound[1];
  if (bind_arguments("notice_delete(key)", names, 1, args, n, kwnames, bound) < 0) return nullptr;
  const std::optional<NoticeKey> key = to_key(bound[0]);
  return key ? none_if(noticeboard().remove(*key)) : nullptr;
}

PyObject* py_notice_read(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  static const char* const names[] = {"key", "default"};
  PyObject* bound[2];
  if (bind_arguments("notice_read(key, default=None)", names, 1, args, n, kwnames, bound) < 0) return nullptr;
  const std::optional<NoticeKey> key = to_key(bound[0]);
  if (!key) return nullptr;
  if (context().current) {
    Ref view(notice_view_here());
    PyObject* found = view ? value_in_view(view.get(), *key, bound[0]) : nullptr;
    if (found || PyErr_Occurred()) return found;
  } else if (const NoticeRef<Notice> notice = noticeboard().find(*key)) {
    return notice->value.copy();
  }
  return Py_NewRef(bound[1] ? bound[1] : Py_None);
}

PyObject* py_noticeboard(PyObject*, PyObject*) {
  Ref view(notice_view_here());
  return view ? PyDictProxy_New(view.get()) : nullptr;
}

// _notice_take(wanted): takes everything off, and returns it as a dict if it is wanted, else None. If something cannot
// be made again it all stays.
PyObject* py_notice_take(PyObject*, PyObject* wanted) {
  const NoticeMap taken = noticeboard().take_all();
  if (wanted != Py_True) Py_RETURN_NONE;
  Ref view(new_notice_view(taken));
  PyObject* dict = view ? dict_of_view(view.get()) : nullptr;
  if (dict) return dict;
  PyObject* raised = take_exception();
  noticeboard().put_back(taken);
  raise_exception(raised);
  return nullptr;
}

PyMethodDef notice_methods[] = {
    {"notice_write", as_method(py_notice_write), METH_FASTCALL | METH_KEYWORDS,
     "notice_write(key, value)\n--\n\nPut a copy of the value on the noticeboard. Whatever the caller schedules "
     "afterwards sees it.\n\nkey is a str of at most 63 bytes in UTF-8 without NUL. Raises TypeError or ValueError for "
     "other keys, and TransferError (a TypeError) for a value that cannot be copied."},
    {"notice_seed", as_method(py_notice_seed), METH_FASTCALL | METH_KEYWORDS,
     "notice_seed(key, value)\n--\n\nAs notice_write(), for what is there before behaviors run. RuntimeError on "
     "workers."},
    {"notice_update", as_method(py_notice_update), METH_FASTCALL | METH_KEYWORDS,
     "notice_update(key, fn, default=None)\n--\n\nReplace the value of the key by fn(value), or fn(default) if it has "
     "none, as one step; REMOVED takes the key off.\n\nfn is called once, by the calling thread, with a copy of the "
     "value. What it raises is raised here, and the value stays. In fn, waiting is a RuntimeError, and another "
     "notice_update() begins when this one has ended. Keys and values as for notice_write()."},
    {"notice_delete", as_method(py_notice_delete), METH_FASTCALL | METH_KEYWORDS,
     "notice_delete(key)\n--\n\nTake the key off the noticeboard, if it is there."},
    {"notice_read", as_method(py_notice_read), METH_FASTCALL | METH_KEYWORDS,
     "notice_read(key, default=None)\n--\n\nThe key's value, or default if it has none. In a behavior from the "
     "noticeboard as it was at the first look that the behavior took at it, outside as it is now."},
    {"noticeboard", py_noticeboard, METH_NOARGS,
     "noticeboard()\n--\n\nThe noticeboard as a read-only mapping, as notice_read() sees it. Values are copied when "
     "they are asked for."},
    {"_notice_take", py_notice_take, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyObject* removed_repr(PyObject*) {
  return PyUnicode_FromString("REMOVED");
}

// By name: each interpreter has its own.
PyObject* removed_reduce(PyObject* self, PyObject*) {
  return removed_repr(self);
}

PyMethodDef removed_methods[] = {{"__reduce__", removed_reduce, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyType_Slot removed_slots[] = {
    {Py_tp_doc, const_cast<char*>("What the function of notice_update() returns to take the key off the noticeboard.")},
    {Py_tp_repr, reinterpret_cast<void*>(removed_repr)},
    {Py_tp_methods, removed_methods},
    {0, nullptr}};
PyType_Spec removed_spec = {"bocpy._Removed", sizeof(PyObject), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, removed_slots};

int add_removed(PyObject* module) {
  PyTypeObject* type = make_type(module, &removed_spec, nullptr);
  if (!type) return -1;
  home().removed = type->tp_alloc(type, 0);
  Py_DECREF(type);
  if (!home().removed) return -1;
  immortalize(home().removed);
  return PyModule_AddObjectRef(module, "REMOVED", home().removed);
}

}  // namespace

int add_notice_functions(PyObject* module) {
  if (add_notice_view_type(module) < 0 || add_removed(module) < 0) return -1;
  if (PyModule_AddFunctions(module, notice_methods) < 0) return -1;
  for (const char* name : {"notice_write", "notice_update", "notice_read", "noticeboard"}) {
    Ref function(PyObject_GetAttrString(module, name));
    if (!function) return -1;
    immortalize(function.get());
  }
  return 0;
}

void notices_after_fork() noexcept {
  noticeboard_after_fork();
  notice_turns_after_fork();
  context().notices = nullptr;
}

}  // namespace boc::py
