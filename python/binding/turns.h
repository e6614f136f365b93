// Threads outside the workers take their turn in cowns' queues: acquire, with, hold, result, unwrap.
#pragma once

#include <span>

#include "cown_type.h"

namespace boc::py {

PyObject* cown_acquire(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* cown_release(PyObject* self, PyObject*);
PyObject* cown_enter(PyObject* self, PyObject*);
PyObject* cown_exit(PyObject* self, PyObject* args);
PyObject* cown_result(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* unwrap_cown(Payload* payload);

// One cown that a thread wants to hold.
struct Claim {
  Payload* payload;
  bool reads;
};

// 0 if this thread may wait for the cown with `what`; -1 with an error.
int check_usable(Payload* payload, const char* what);
// Holds all of them, or none. 0, or -1 with an error.
int hold_all(std::span<const Claim> cowns, double timeout, const char* what);
// Waits in the cown's queue until the thread holds it: to be given back with finish_turn(). Null with an error, or
// without one when the time (seconds) is over.
Turn* take_turn(const Claim& cown, double timeout, const char* what);
// The same without waiting: null, without an error (or with MemoryError), if the cown is not free.
Turn* try_turn(const Claim& cown);
// Gives it back. An error that is set stays so.
void finish_turn(Turn& turn) noexcept;
// Gives back one acquisition of a held cown. -1 with TransferError: it is given back, but workers will not get its value.
int give_back(Held& held) noexcept;

}  // namespace boc::py
