#include "error_record.h"

#include <new>
#include <unordered_set>
#include <vector>

#include "py_errors.h"

namespace boc::py {
namespace {

// Of a longer traceback (a RecursionError) the first and the last frames are kept.
constexpr Py_ssize_t kMaxFrames = 200;
// An exception object that behaviors raise again and again keeps its first and its latest tracebacks.
constexpr Py_ssize_t kMaxTracebacks = 8;
// More causes, contexts and group members than this keep their frames: a bound for what is done per failure.
constexpr size_t kMaxExceptions = 1000;

PyBaseExceptionObject* fields(PyObject* exception) {
  return reinterpret_cast<PyBaseExceptionObject*>(exception);
}

int line_of(PyTracebackObject* traceback, PyCodeObject* code) {
  if (traceback->tb_lineno > 0) return traceback->tb_lineno;
  return PyCode_Addr2Line(code, traceback->tb_lasti);  // 3.12 and later count lines on demand
}

bool put(PyObject* records, Py_ssize_t frame, PyObject* file, PyObject* function, int line) {
  PyObject* number = PyLong_FromLong(line);
  if (!number) return false;
  PyTuple_SET_ITEM(records, 3 * frame, Py_NewRef(file));
  PyTuple_SET_ITEM(records, 3 * frame + 1, Py_NewRef(function));
  PyTuple_SET_ITEM(records, 3 * frame + 2, number);
  return true;
}

PyTracebackObject* next_of(PyTracebackObject* traceback) {
  return traceback->tb_next;
}

// The flat tuple that bocpy._errors formats.
PyObject* records_of(PyObject* traceback) {
  Py_ssize_t total = 0;
  auto* first = reinterpret_cast<PyTracebackObject*>(traceback);
  for (auto* t = first; t; t = next_of(t)) ++total;
  Py_ssize_t left_out = total > kMaxFrames ? total - kMaxFrames : 0;
  Ref records(PyTuple_New(3 * (total - left_out + (left_out ? 1 : 0))));
  if (!records) return nullptr;
  Py_ssize_t position = 0, frame = 0;
  for (auto* t = first; t; t = next_of(t), ++position) {
    if (left_out && position >= kMaxFrames / 2 && position < kMaxFrames / 2 + left_out) {
      if (position > kMaxFrames / 2) continue;
      if (!put(records.get(), frame++, Py_None, Py_None, static_cast<int>(left_out))) return nullptr;
      continue;
    }
    PyCodeObject* code = PyFrame_GetCode(t->tb_frame);
    bool good = put(records.get(), frame++, code->co_filename, code->co_name, line_of(t, code));
    Py_DECREF(code);
    if (!good) return nullptr;
  }
  return records.release();
}

// The arguments of a carrier with one more traceback.
PyObject* extended(PyObject* arguments, PyObject* records) {
  Py_ssize_t size = PyTuple_Check(arguments) ? PyTuple_GET_SIZE(arguments) : 0;
  Py_ssize_t kept = size < kMaxTracebacks ? size : kMaxTracebacks - 1;
  PyObject* made = PyTuple_New(kept + 1);
  if (!made) return nullptr;
  for (Py_ssize_t i = 0; i < kept; ++i) {
    // The first one, then the latest.
    Py_ssize_t from = i == 0 ? 0 : size - kept + i;
    PyTuple_SET_ITEM(made, i, Py_NewRef(PyTuple_GET_ITEM(arguments, from)));
  }
  PyTuple_SET_ITEM(made, kept, Py_NewRef(records));
  return made;
}

bool set_carrier(PyObject* exception, PyObject* type, PyObject* records) {
  PyObject* carrier = PyObject_CallOneArg(type, records);
  if (!carrier) return false;
  // Setting a cause hides the context: it is shown as the carrier's.
  PyObject* context = fields(exception)->context;
  if (context && !fields(exception)->suppress_context) PyException_SetContext(carrier, Py_NewRef(context));
  PyException_SetCause(exception, carrier);
  return true;
}

bool add_note(PyObject* exception, PyObject* records) {
  Ref type(module_attribute("bocpy._errors", "TracebackNote"));
  Ref note(type ? PyObject_CallOneArg(type.get(), records) : nullptr);
  Ref dict(note ? PyObject_GenericGetDict(exception, nullptr) : nullptr);
  if (!dict) return false;
  Ref notes(Py_XNewRef(PyDict_GetItemString(dict.get(), "__notes__")));
  if (notes && PyList_Check(notes.get())) return PyList_Append(notes.get(), note.get()) == 0;
  if (notes) return true;  // somebody keeps something else there
  notes = Ref(PyList_New(0));
  return notes && PyList_Append(notes.get(), note.get()) == 0 &&
         PyDict_SetItemString(dict.get(), "__notes__", notes.get()) == 0;
}

// Records are lost rather than frames kept if there is no memory for them.
void detach_one(PyObject* exception, PyObject* carrier_type) {
  Ref traceback(PyException_GetTraceback(exception));
  if (!traceback) return;
  Ref records(PyTraceBack_Check(traceback.get()) ? records_of(traceback.get()) : nullptr);
  bool good = static_cast<bool>(records);
  if (good) {
    Ref cause(PyException_GetCause(exception));
    if (!cause) {
      good = carrier_type && set_carrier(exception, carrier_type, records.get());
    } else if (reinterpret_cast<PyObject*>(Py_TYPE(cause.get())) == carrier_type) {
      PyObject* arguments = extended(fields(cause.get())->args, records.get());
      good = arguments != nullptr;
      if (good) Py_XSETREF(fields(cause.get())->args, arguments);
    } else {
      good = add_note(exception, records.get());
    }
  }
  if (!good) PyErr_Clear();
  if (PyException_SetTraceback(exception, Py_None) < 0) PyErr_Clear();
}

// The members of an exception group as a new tuple, or null.
PyObject* members_of(PyObject* exception) {
#if PY_VERSION_HEX >= 0x030B0000
  auto* group_type = reinterpret_cast<PyTypeObject*>(PyExc_BaseExceptionGroup);
  if (!PyObject_TypeCheck(exception, group_type)) return nullptr;
  PyObject* members = reinterpret_cast<PyBaseExceptionGroupObject*>(exception)->excs;
  return members && PyTuple_Check(members) ? Py_NewRef(members) : nullptr;
#else
  // The exceptiongroup package keeps them in the instance; other classes are not asked, lest their code runs.
  PyObject* dict = fields(exception)->dict;
  PyObject* members = dict ? PyDict_GetItemString(dict, "_exceptions") : nullptr;
  return members && PyTuple_Check(members) ? Py_NewRef(members) : nullptr;
#endif
}

using Chain = std::vector<Ref>;

void add(Chain& chain, std::unordered_set<PyObject*>& seen, PyObject* stolen) {
  Ref exception(stolen);
  if (!exception || !PyExceptionInstance_Check(exception.get()) || chain.size() >= kMaxExceptions) return;
  if (seen.insert(exception.get()).second) chain.push_back(std::move(exception));
}

// `exc` and everything reachable from it by causes, contexts and groups.
Chain chain_of(PyObject* exc) {
  Chain chain;
  std::unordered_set<PyObject*> seen;
  add(chain, seen, Py_NewRef(exc));
  for (size_t i = 0; i < chain.size(); ++i) {
    PyObject* one = chain[i].get();
    add(chain, seen, PyException_GetCause(one));
    add(chain, seen, PyException_GetContext(one));
    Ref members(members_of(one));
    for (Py_ssize_t m = 0; members && m < PyTuple_GET_SIZE(members.get()); ++m) {
      add(chain, seen, Py_NewRef(PyTuple_GET_ITEM(members.get(), m)));
    }
  }
  return chain;
}

void detach_all(PyObject* exc) {
  Ref carrier_type(module_attribute("bocpy._errors", "BehaviorTraceback"));
  if (!carrier_type) PyErr_Clear();
  if (!fields(exc)->cause && !fields(exc)->context && !Ref(members_of(exc))) {
    detach_one(exc, carrier_type.get());
    return;
  }
  try {
    Chain chain = chain_of(exc);
    for (const Ref& one : chain) detach_one(one.get(), carrier_type.get());
  } catch (const std::bad_alloc&) {
    detach_one(exc, carrier_type.get());
  }
}

}  // namespace

void detach_traceback(PyObject* exc) noexcept {
  if (!exc || !PyExceptionInstance_Check(exc)) return;
  PyObject* pending = take_exception();
  detach_all(exc);
  PyErr_Clear();
  if (pending) raise_exception(pending);
}

}  // namespace boc::py
