// A copy of a value that nobody holds: what lies on the noticeboard. Everybody who reads it makes a copy of their own.
#pragma once

#include "compat.h"

namespace boc::py {

// Made by PyBackend::post(). It never changes, so that many may copy it at the same time.
class Posted {
 public:
  Posted() = default;
  Posted(const Posted&) = delete;
  Posted& operator=(const Posted&) = delete;
  virtual ~Posted() = default;  // the caller is attached: destructors of what is inside may run

  // A new value, the caller's own (itself, where it goes as it is). Null with an error. May run Python code.
  virtual PyObject* copy() const = 0;
};

}  // namespace boc::py
