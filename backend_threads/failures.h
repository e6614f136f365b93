// Failures that nobody has looked at yet: reported once, through main's sys.unraisablehook.
#pragma once

#include <unordered_set>

#include "payload.h"

namespace boc::py {

class Failures {
 public:
  // The result failed with payload.value.
  void add(Payload& payload);
  // Somebody looks at it: it will not be reported.
  void look(Payload& payload) noexcept;
  // The cown goes away.
  void drop(Payload& payload) noexcept;
  // Reports all that are left (at wait() and at exit).
  void report_all() noexcept;
  void after_fork();

 private:
  void name_cancellation(Payload& payload) noexcept;
  static void report(PyObject* error, PyObject* origin) noexcept;

  Mutex mutex_;  // never held while Python code runs
  std::unordered_set<Payload*> unseen_;
};

}  // namespace boc::py
