// What Python code of workers calls to reach main, and what a thread of theirs has written without ending the line.
#include <new>
#include <string_view>
#include <utility>

#include "main_service.h"

namespace boc::py {
namespace {

// More than that in one line is not kept together: what is held is memory that nobody sees.
constexpr size_t LONGEST_LINE = 1 << 20;

constexpr int STREAMS = 2;  // 0: stdout, 1: stderr; the kind of a post of their text is 1 more

// What this thread has written without ending the line. Goes out when the thread ends, too.
struct Held {
  std::string text[STREAMS];
  ~Held() {
    for (int stream = 0; stream < STREAMS; ++stream) release(stream);
  }
  void release(int stream) noexcept {
    if (text[stream].empty()) return;
    try {
      post_to_main(stream + 1, std::move(text[stream]));
    } catch (const std::bad_alloc&) {
      // Nothing is left to say it with.
    }
    text[stream].clear();
  }
};

thread_local Held held;

bool ends_line(std::string_view text) {
  return !text.empty() && (text.back() == '\n' || text.back() == '\r');
}

void write_text(int stream, std::string_view text) {
  std::string& line = held.text[stream];
  line.append(text);
  if (ends_line(text) || line.size() > LONGEST_LINE) held.release(stream);
}

// Python -------------------------------------------------------------------------------------------------------------

int stream_of(int stream) {
  if (stream >= 0 && stream < STREAMS) return 0;
  PyErr_Format(PyExc_ValueError, "no stream %d", stream);
  return -1;
}

// _write(stream, text) -> len(text)
PyObject* py_write(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 2) return PyErr_Format(PyExc_TypeError, "_write takes 2 arguments, not %zd", count);
  const long stream = PyLong_AsLong(args[0]);
  if (stream == -1 && PyErr_Occurred()) return nullptr;
  if (stream_of(static_cast<int>(stream)) < 0) return nullptr;
  PyObject* text = args[1];
  if (!PyUnicode_Check(text)) {
    return PyErr_Format(PyExc_TypeError, "write() argument must be str, not %.100s", Py_TYPE(text)->tp_name);
  }
  try {
    if (PyUnicode_IS_ASCII(text)) {
      write_text(static_cast<int>(stream), {reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(text)),
                                            static_cast<size_t>(PyUnicode_GET_LENGTH(text))});
    } else {
      PyObject* bytes = PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
      if (!bytes) return nullptr;
      const std::string copy(PyBytes_AS_STRING(bytes), static_cast<size_t>(PyBytes_GET_SIZE(bytes)));
      Py_DECREF(bytes);
      write_text(static_cast<int>(stream), copy);
    }
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
  return PyLong_FromSsize_t(PyUnicode_GET_LENGTH(text));
}

// _flush_output(stream): what this thread holds of it goes out.
PyObject* py_flush_output(PyObject*, PyObject* argument) {
  const long stream = PyLong_AsLong(argument);
  if (stream == -1 && PyErr_Occurred()) return nullptr;
  if (stream_of(static_cast<int>(stream)) < 0) return nullptr;
  held.release(static_cast<int>(stream));
  Py_RETURN_NONE;
}

PyObject* py_post(PyObject*, PyObject* args) {
  int kind;
  const char* data;
  Py_ssize_t size;
  if (!PyArg_ParseTuple(args, "iy#", &kind, &data, &size)) return nullptr;
  held.release(1);  // what is posted mostly ends up on stderr too
  try {
    post_to_main(kind, std::string(data, static_cast<size_t>(size)));
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
  Py_RETURN_NONE;
}

// _ask(kind, data) -> the answer of bocpy._delivery.answer in main; RuntimeError if there is none.
PyObject* py_ask(PyObject*, PyObject* args) {
  int kind;
  const char* data;
  Py_ssize_t size;
  if (!PyArg_ParseTuple(args, "iy#", &kind, &data, &size)) return nullptr;
  std::string text;
  bool answered = false, memory = true;
  Py_BEGIN_ALLOW_THREADS;
  try {
    answered = ask_main(kind, std::string(data, static_cast<size_t>(size)), text);
  } catch (const std::bad_alloc&) {
    memory = false;
  }
  Py_END_ALLOW_THREADS;
  if (!memory) return PyErr_NoMemory();
  if (answered) return PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
  PyErr_SetString(PyExc_RuntimeError, text.c_str());
  return nullptr;
}

}  // namespace

void post_held_output() noexcept {
  for (int stream = 0; stream < STREAMS; ++stream) held.release(stream);
}

void forget_held_output() noexcept {
  for (std::string& text : held.text) text.clear();
}

PyMethodDef service_methods[] = {
    {"_post", py_post, METH_VARARGS, nullptr},
    {"_ask", py_ask, METH_VARARGS, nullptr},
    {"_write", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(py_write)), METH_FASTCALL, nullptr},
    {"_flush_output", py_flush_output, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace boc::py
