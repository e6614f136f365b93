// What workers' interpreters send to main: output, warnings, log records, reports of errors (posts, delivered in order,
// nobody waits for them), and requests that main answers while the worker waits.
//
// Posts are delivered by Python code of main, bocpy._delivery: by main's own calls that make results visible
// (deliver_pending), or by the service thread, whichever comes first. Requests are answered by the service thread alone:
// it is the one thread of main that never waits for a behavior.
//
// Invariants:
//  G1 The mutex is never held while Python code may run or while a thread waits for a GIL.
//  G2 One thread at a time delivers, in the order of the posts. Who delivers is told apart by its thread: a call from
//     inside a handler returns at once.
//  G3 A post counts as pending until its handler has returned: a thread that sees nothing pending sees what was
//     written.
//  G4 The service thread attaches to main only between start_service and stop_service.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string>

namespace boc::py {

// _post(kind, data), _ask(kind, data), _write(stream, text), _flush_output(stream): for bocpy._worker* in workers.
extern PyMethodDef service_methods[];

// Posts from any thread, attached or not. `kind` as in bocpy._worker_kinds. May throw std::bad_alloc.
void post_to_main(int kind, std::string data);

// Waits for main's answer to a request; detached. False: `answer` says why there is none. May throw std::bad_alloc.
bool ask_main(int kind, std::string data, std::string& answer);

// What the calling thread has written without ending the line goes out: at the end of each behavior, before it
// suspends and before its worker parks. Needs no interpreter; cheap if there is nothing.
void post_held_output() noexcept;
void forget_held_output() noexcept;  // in a forked child

// Is there something to deliver? One relaxed load: whoever has seen a behavior's end sees its posts.
bool deliveries_pending() noexcept;

// Delivers, or waits detached until another thread has delivered, everything posted before the call. Attached to main,
// no error set. 0, or -1 with an error that is no Exception (KeyboardInterrupt, SystemExit): the rest stays pending.
int deliver_pending();

// The service thread is there afterwards. Attached to main or not; throws std::system_error if the system refuses
// threads. It stays over wait() and start().
void start_service(PyInterpreterState* main);

// Ends and joins the service thread; requests are refused from then on; posts stay for deliver_pending. Attached to main
// (it detaches meanwhile), before main begins to finalize. May be called when there is no service.
void stop_service() noexcept;

// In the child of a fork, before anything else of this file: what the parent had posted is the parent's.
void service_after_fork() noexcept;

}  // namespace boc::py
