// Raising the errors that the package defines (bocpy._errors) and wrapping others.
#pragma once

#include <string>

#include "compat.h"

namespace boc::py {

// Attribute `name` of the module `module` (imported if need be): a new reference, or null with an error.
PyObject* module_attribute(const char* module, const char* name);

// "TypeError: cannot pickle 'lock' object" without calling str() on anything: the type's name, and the first argument if
// it is a plain string. A new reference, or null with an error.
PyObject* reason_of(PyObject* exception);

// "TypeError: the message" of the error being raised, which is cleared; calls its str(). Never raises.
std::string take_error_text() noexcept;

// Raises bocpy._errors.<name>(message). Steals `message`; if that is null its error stays. Returns -1.
int raise_error(const char* name, PyObject* message);

// The error being raised becomes the cause of a bocpy TransferError "<what> cannot be copied: <reason>. <ways
// out>". What is no Exception (KeyboardInterrupt, SystemExit), and MemoryError, stays as it is. `what` is
// borrowed.
void raise_transfer_error(PyObject* what, const char* ways_out);

}  // namespace boc::py
