// Failures that nobody has looked at yet: reported once, through main's sys.unraisablehook, one after the other.
#pragma once

#include <deque>
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
  struct Report {
    PyObject* error;   // strong
    PyObject* origin;  // strong or null
  };

  void name_cancellation(Payload& payload) noexcept;
  void report(PyObject* error, PyObject* origin) noexcept;
  static void write(const Report& report) noexcept;

  Mutex mutex_;  // never held while Python code runs
  std::unordered_set<Payload*> unseen_;
  std::deque<Report> reports_;
  bool reporting_ = false;  // a thread writes what is in reports_, and what others add meanwhile
};

}  // namespace boc::py
