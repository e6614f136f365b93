// What CPython 3.12 to 3.15 lack for a process with sub-interpreters to fork, and for one to be left at exit.
//
// os.fork() makes CPython clear, in the child, every interpreter of its list that is not main. It does so without a
// current thread state and while the threads of those interpreters are gone: the child dies. So the child forgets
// them before CPython looks: their memory stays as it is and is never touched again.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace boc::py {

// Once, in main and attached, before the first sub-interpreter of this process: from then on every fork() of the
// process, whoever calls it, leaves the child with the main interpreter alone. False if CPython's list was not found:
// then a fork while sub-interpreters live kills the child, and the caller should refuse it (before_fork cannot).
bool guard_forks() noexcept;

// The three hooks of os.register_at_fork, in main and attached. before_fork waits (detached, at most a second) until
// no interpreter is being made, as a half-made one has parts of CPython's shared state in its hands.
void before_fork() noexcept;
void after_fork_in_parent() noexcept;
void after_fork_in_child() noexcept;

// Held by a thread while it makes an interpreter; taken while attached to nothing.
class MakingInterpreter {
 public:
  MakingInterpreter() noexcept;
  ~MakingInterpreter();
  MakingInterpreter(const MakingInterpreter&) = delete;
  MakingInterpreter& operator=(const MakingInterpreter&) = delete;
};

// For an interpreter that cannot be ended (a foreign thread is still in it): CPython forgets it, so that the end of
// the process neither aborts (3.12) nor waits for it (3.14). Attached to `interpreter` or detached. False: not found.
bool forget_interpreter(PyInterpreterState* interpreter) noexcept;

}  // namespace boc::py
