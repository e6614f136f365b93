#include "message_functions.h"

#include <cmath>
#include <new>
#include <optional>
#include <vector>

#include "arguments.h"
#include "heap_type.h"
#include "receive.h"
#include "runtime.h"

namespace boc::py {
namespace {

// What the tag argument of a function stands for; nothing, with an error, if it can be none. The str keeps its text.
std::optional<Tag> to_tag(PyObject* object) {
  if (!PyUnicode_CheckExact(object)) {
    PyErr_Format(PyExc_TypeError, "a tag is a str, not %.100s", Py_TYPE(object)->tp_name);
    return std::nullopt;
  }
  Py_ssize_t size;
  const char* text = PyUnicode_AsUTF8AndSize(object, &size);
  if (!text) return std::nullopt;  // UnicodeEncodeError, a ValueError: a lone surrogate
  return Tag(std::string_view(text, static_cast<size_t>(size)));
}

// The tags of an argument that is a str, or a list, tuple or other collection of them, which may change afterwards.
class Tags {
 public:
  // -1 with an error. Throws std::bad_alloc.
  int read(PyObject* argument) {
    if (PyUnicode_Check(argument)) return add(argument);
    if (!PySequence_Check(argument) && !PyAnySet_Check(argument)) {
      PyErr_Format(PyExc_TypeError, "tags are a str, or a list or tuple of str, not %.100s",
                   Py_TYPE(argument)->tp_name);
      return -1;
    }
    objects_ = Ref(PySequence_Tuple(argument));
    if (!objects_) return -1;
    const Py_ssize_t n = PyTuple_GET_SIZE(objects_.get());
    if (n != 1) many_.reserve(static_cast<size_t>(n));
    for (Py_ssize_t i = 0; i < n; ++i) {
      if (add(PyTuple_GET_ITEM(objects_.get(), i)) < 0) return -1;
    }
    return 0;
  }

  std::span<const Tag> all() const noexcept {
    return many_.empty() ? std::span(one_ ? &*one_ : nullptr, one_ ? 1 : 0) : std::span<const Tag>(many_);
  }
  // The str of that number; borrowed.
  PyObject* object(PyObject* argument, unsigned number) const noexcept {
    return objects_ ? PyTuple_GET_ITEM(objects_.get(), number) : argument;
  }

 private:
  int add(PyObject* object) {
    const std::optional<Tag> tag = to_tag(object);
    if (!tag) return -1;
    if (many_.capacity() == 0) {
      one_ = tag;
    } else {
      many_.push_back(*tag);
    }
    return 0;
  }

  Ref objects_;             // null: the argument is the tag
  std::optional<Tag> one_;  // the only one
  std::vector<Tag> many_;
};

// The `timeout` of receive() in seconds; nothing, with an error, if it can be none.
std::optional<double> to_timeout(PyObject* object) {
  if (!object || object == Py_None) return FOREVER;
  if (PyBool_Check(object)) {
    PyErr_SetString(PyExc_TypeError, "receive(): timeout is a number of seconds or None, not bool");
    return std::nullopt;
  }
  const double seconds = PyFloat_AsDouble(object);
  if (seconds == -1.0 && PyErr_Occurred()) return std::nullopt;
  if (std::isnan(seconds)) {
    PyErr_SetString(PyExc_ValueError,
                    "receive(): timeout is a number of seconds, not NaN; below 0 or None: wait as long as it takes");
    return std::nullopt;
  }
  return seconds < 0 ? FOREVER : seconds;
}

PyObject* py_send(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) try {
  static const char* const names[] = {"tag", "contents"};
  PyObject* bound[2];
  if (bind_arguments("send(tag, contents)", names, 2, args, n, kwnames, bound) < 0) return nullptr;
  const std::optional<Tag> tag = to_tag(bound[0]);
  if (!tag) return nullptr;
  auto message = std::make_unique<Message>();
  if (!to_posted_value(bound[1], &message->value)) return nullptr;
  messages().send(*tag, std::move(message));
  Py_RETURN_NONE;
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

// The contents, the caller's own; null with an error. A message that cannot be rebuilt is gone: it would be in the way of
// those behind it for ever. What has nothing to do with it (Ctrl-C, no memory) leaves it in its place.
PyObject* open_message(const Tag& tag, std::unique_ptr<Message> message) {
  PyObject* contents = message->value.take();
  if (contents) return contents;
  PyObject* raised = take_exception();
  if (!PyErr_GivenExceptionMatches(raised, PyExc_Exception) || PyErr_GivenExceptionMatches(raised, PyExc_MemoryError)) {
    messages().put_back(tag, std::move(message));
  }
  message.reset();
  raise_exception(raised);
  return nullptr;
}

PyObject* receive_from(const Tags& tags, PyObject* argument, double timeout, PyObject* after) {
  Received received;
  const int done = receive_message(tags.all(), timeout, &received);
  if (done < 0) return nullptr;
  if (done == 0) {
    return after == Py_None ? Py_BuildValue("(OO)", home().message_timeout, Py_None) : PyObject_CallNoArgs(after);
  }
  Ref pair(PyTuple_New(2));
  if (!pair) {
    messages().put_back(tags.all()[received.tag], std::move(received.message));
    return nullptr;
  }
  PyObject* contents = open_message(tags.all()[received.tag], std::move(received.message));
  if (!contents) return nullptr;
  PyTuple_SET_ITEM(pair.get(), 0, Py_NewRef(tags.object(argument, received.tag)));
  PyTuple_SET_ITEM(pair.get(), 1, contents);
  return pair.release();
}

PyObject* py_receive(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) try {
  static const char* const names[] = {"tags", "timeout", "after"};
  PyObject* bound[3];
  if (bind_arguments("receive(tags, timeout=-1, after=None)", names, 1, args, n, kwnames, bound) < 0) return nullptr;
  Tags tags;
  if (tags.read(bound[0]) < 0) return nullptr;
  const std::optional<double> timeout = to_timeout(bound[1]);
  if (!timeout) return nullptr;
  PyObject* after = bound[2] ? bound[2] : Py_None;
  if (after != Py_None && !PyCallable_Check(after)) {
    PyErr_Format(PyExc_TypeError, "receive(): after is a function without parameters or None, not %.100s",
                 Py_TYPE(after)->tp_name);
    return nullptr;
  }
  if (tags.all().empty()) {
    PyErr_SetString(PyExc_RuntimeError, "receive() without tags would wait for ever: name at least one");
    return nullptr;
  }
  return receive_from(tags, bound[0], *timeout, after);
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

PyObject* py_drain(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) try {
  static const char* const names[] = {"tags"};
  PyObject* bound[1];
  if (bind_arguments("drain(tags)", names, 1, args, n, kwnames, bound) < 0) return nullptr;
  Tags tags;
  if (tags.read(bound[0]) < 0) return nullptr;
  for (const Tag& tag : tags.all()) messages().drain(tag);
  Py_RETURN_NONE;
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

PyObject* py_set_tags(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) try {
  static const char* const names[] = {"tags"};
  PyObject* bound[1];
  if (bind_arguments("set_tags(tags)", names, 1, args, n, kwnames, bound) < 0) return nullptr;
  if (here() || !home().main()) {
    PyErr_SetString(PyExc_RuntimeError,
                    "set_tags() is for the primary interpreter, outside workers: it drops the messages of all. "
                    "Behaviors use drain()");
    return nullptr;
  }
  Tags tags;
  if (tags.read(bound[0]) < 0) return nullptr;
  messages().drain_all();
  Py_RETURN_NONE;
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

// _drop_messages(): at the end of the program.
PyObject* py_drop_messages(PyObject*, PyObject*) {
  messages().drain_all();
  Py_RETURN_NONE;
}

PyMethodDef message_methods[] = {
    {"send", as_method(py_send), METH_FASTCALL | METH_KEYWORDS,
     "send(tag, contents)\n--\n\nPut a copy of contents into the queue of the tag, which is any str. Never waits.\n\n"
     "Raises TypeError for other tags, UnicodeEncodeError (a ValueError) for one with a lone surrogate, and "
     "TransferError (a TypeError) for contents that cannot be copied; nothing is sent then."},
    {"receive", as_method(py_receive), METH_FASTCALL | METH_KEYWORDS,
     "receive(tags, timeout=-1, after=None)\n--\n\nTake the message that was sent first of those of the tags (a str, "
     "or a "
     "list or tuple of str); wait if there is none.\n\ntimeout is in seconds; below 0 or None: as long as it takes; 0: "
     "only what is there. Returns (tag, contents). When the time is over returns after(), or (TIMEOUT, None) without "
     "after. Raises TransferError for contents that cannot be made again, CancelledError in a behavior whose scope is "
     "cancelled meanwhile or that nobody is left to send to at the end of the program, RuntimeError without tags and "
     "where waiting is not allowed (in the function of notice_update(), while a value is carried)."},
    {"drain", as_method(py_drain), METH_FASTCALL | METH_KEYWORDS,
     "drain(tags)\n--\n\nDrop the messages of the tags: a str, or a list or tuple of str."},
    {"set_tags", as_method(py_set_tags), METH_FASTCALL | METH_KEYWORDS,
     "set_tags(tags)\n--\n\nDrop all messages of all tags. The tags are checked, but there is nothing to set: any "
     "number "
     "of them may be used. RuntimeError on workers."},
    {"_drop_messages", py_drop_messages, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

int add_timeout(PyObject* module) {
  PyObject* timeout = PyUnicode_InternFromString("__timeout__");
  if (!timeout) return -1;
  immortalize(timeout);
  home().message_timeout = timeout;
  return PyModule_AddObjectRef(module, "TIMEOUT", timeout);
}

}  // namespace

int add_message_functions(PyObject* module) {
  if (add_timeout(module) < 0 || PyModule_AddFunctions(module, message_methods) < 0) return -1;
  for (const char* name : {"send", "receive"}) {
    Ref function(PyObject_GetAttrString(module, name));
    if (!function) return -1;
    immortalize(function.get());
  }
  return 0;
}

}  // namespace boc::py
