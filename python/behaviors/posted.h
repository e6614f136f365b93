// Copies of values that nobody holds: what lies on the noticeboard, of which everybody who reads it makes a copy, and what
// is in messages, which one receiver takes.
#pragma once

#include <memory>

#include "atom.h"
#include "compat.h"

namespace boc::py {

// Made by PyBackend::post(). It does not change before take(), so that many may copy it at the same time.
class Posted {
 public:
  Posted() = default;
  Posted(const Posted&) = delete;
  Posted& operator=(const Posted&) = delete;
  virtual ~Posted() = default;  // the caller is attached: destructors of what is inside may run

  // A new value, the caller's own (itself, where it goes as it is). Null with an error. May run Python code.
  virtual PyObject* copy() const = 0;
  // The same for the last time, by the only one who has it: what can move is not copied again. Null with an error; then
  // it is as it was.
  virtual PyObject* take() = 0;
};

// A small value inline, or a posted one.
struct PostedValue {
  Atom atom;  // kNothing if there is `posted`
  std::unique_ptr<Posted> posted;

  // As those of Posted.
  PyObject* copy() const { return posted ? posted->copy() : from_atom(atom); }
  PyObject* take() { return posted ? posted->take() : from_atom(atom); }
};

// Makes a copy of `value`. False with an error. May run Python code if it is no small one.
bool to_posted_value(PyObject* value, PostedValue* out);

}  // namespace boc::py
