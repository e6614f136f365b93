#include "interpreter.h"

#include <chrono>
#include <thread>

#include "fork_guard.h"

namespace boc::py {
namespace {

constexpr auto kTimeForOthersToLeave = std::chrono::seconds(1);

PyInterpreterConfig isolated() noexcept {
  PyInterpreterConfig config{};
  config.use_main_obmalloc = 0;
  config.allow_fork = 0;
  config.allow_exec = 0;
  config.allow_threads = 1;
  config.allow_daemon_threads = 0;  // one would be in the interpreter when it is to end
  config.check_multi_interp_extensions = 1;
  config.gil = PyInterpreterConfig_OWN_GIL;
  return config;
}

PyThreadState* create_once(std::string& why) noexcept {
  const PyInterpreterConfig config = isolated();
  PyThreadState* state = nullptr;
  PyStatus status;
  {
    MakingInterpreter making;
    status = Py_NewInterpreterFromConfig(&state, &config);
  }
  if (!PyStatus_Exception(status) && state) return state;
  try {
    why = status.err_msg ? status.err_msg : "no reason given";
    if (status.func) why = std::string(status.func) + ": " + why;
  } catch (...) {
    why.clear();
  }
  return nullptr;
}

void replace_attribute(PyObject* object, const char* name, PyTypeObject* value) noexcept {
  if (PyObject_SetAttrString(object, name, reinterpret_cast<PyObject*>(value)) != 0) PyErr_Clear();
}

// In 3.13.0, what threading keeps of a thread that it did not start complains on stderr when the interpreter's end
// finds it. (logging and asyncio are enough to make it.) So it goes now, and none is made afterwards.
void forget_this_thread(PyObject* threading) noexcept {
  PyObject* local = PyObject_GetAttrString(threading, "_thread_local_info");
  if (local) {
    if (PyObject_DelAttrString(local, "_track_dummy_thread_ref") != 0) PyErr_Clear();
    replace_attribute(threading, "_DeleteDummyThreadOnDel", &PyBool_Type);
    Py_DECREF(local);
  }
  PyErr_Clear();
}

// Joins the threads of `threading`. Py_EndInterpreter would do it too, but then it is too late to find out that other
// threads are there: it ends the process. A second call fails on 3.12 and repeats callbacks elsewhere, hence what
// Py_EndInterpreter will find under that name is a call without effect.
void join_threads() noexcept {
  PyObject* name = PyUnicode_FromString("threading");
  PyObject* threading = name ? PyImport_GetModule(name) : nullptr;
  Py_XDECREF(name);
  if (threading) {
    PyObject* result = PyObject_CallMethod(threading, "_shutdown", nullptr);
    if (!result) PyErr_WriteUnraisable(threading);
    Py_XDECREF(result);
    replace_attribute(threading, "_shutdown", &PyDict_Type);
    forget_this_thread(threading);
    Py_DECREF(threading);
  }
  PyErr_Clear();
}

bool is_alone(PyThreadState* state) noexcept {
  return PyInterpreterState_ThreadHead(PyThreadState_GetInterpreter(state)) == state && !PyThreadState_Next(state);
}

// True once the interpreter has no other thread state; false if the time is up.
bool wait_until_alone(PyThreadState* state) noexcept {
  const auto deadline = std::chrono::steady_clock::now() + kTimeForOthersToLeave;
  while (!is_alone(state)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    PyThreadState* saved = PyEval_SaveThread();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    PyEval_RestoreThread(saved);
  }
  return true;
}

}  // namespace

PyThreadState* SubInterpreter::create(std::string& why) noexcept {
  // Seen once in a forked child: "Failed to import encodings module", and the next one was fine.
  PyThreadState* state = create_once(why);
  return state ? state : create_once(why);
}

bool SubInterpreter::end(PyThreadState* state) noexcept {
  join_threads();
  if (wait_until_alone(state)) {
    Py_EndInterpreter(state);
    return true;
  }
  forget_interpreter(PyThreadState_GetInterpreter(state));
  PyEval_SaveThread();
  return false;
}

}  // namespace boc::py
