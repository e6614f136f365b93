// Objects whose type is registered with CPython for sharing between interpreters (XIData). Shared once, such an object
// can be rebuilt in any interpreter, any number of times, until the share is released.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace boc::py {

// What happens to the original while its type's functions are at work: it is given up, or it stays in use and what is
// made is a copy. They may ask (the C interface's bocpy_transfer()). Each thread has its own; `move` outside all.
enum class Transfer { move, copy };

class TransferKind {
 public:
  explicit TransferKind(Transfer kind) noexcept;
  ~TransferKind();
  TransferKind(const TransferKind&) = delete;
  TransferKind& operator=(const TransferKind&) = delete;

 private:
  Transfer before_;
};
Transfer current_transfer() noexcept;
// For who switches between strands: the thread's kind from now on; returns what it was.
Transfer exchange_transfer(Transfer kind) noexcept;

// Attached. True if CPython knows how to share objects of this very type and the codec does not do them by itself.
bool xi_supported(PyObject* object) noexcept;

// Attached; the interpreter becomes the owner. 0 and a handle, or -1 with an error. May run user code.
int xi_share(PyObject* object, void** handle) noexcept;

// Attached to any interpreter, also in several at once: a new reference, or null with an error (RuntimeError if the
// owner has ended or was left in the parent of a fork). May run user code. Not while the handle is being released.
PyObject* xi_rebuild(void* handle) noexcept;

// Attached: another such object in this interpreter, by its type's functions, which are told Transfer::copy. Null with
// an error.
PyObject* xi_copy(PyObject* object) noexcept;

// From any thread, attached to anything or to nothing. At once if attached to the owner (may then run user code), else
// when the owner calls xi_drain(); never if the owner has ended.
void xi_release(void* handle) noexcept;

// Attached: lets go of what other threads released of this interpreter. One load if there is nothing. May run user
// code, so between behaviors. Each xi_share drains too.
void xi_drain() noexcept;

// Attached to the interpreter that is about to end: the last drain. What is released later is left alone.
void xi_interpreter_ends() noexcept;

// The shares of interpreters that the child does not have are dead from now on. Called by after_fork_in_child().
void xi_after_fork_in_child() noexcept;

}  // namespace boc::py
