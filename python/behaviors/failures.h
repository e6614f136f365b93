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
  // The cown goes away. True: nobody has looked at its failure, which is the caller's to report.
  bool drop(Payload& payload) noexcept;
  // Reports an error (borrowed, of the caller's home) of a behavior of that place.
  void report(PyObject* error, Site* origin) noexcept;
  // Reports all that are left (at wait() and at exit). In the main interpreter.
  void report_all() noexcept;
  void after_fork();

  // How a worker's interpreter reports: by having main do it. Steals nothing; leaves no error.
  void (*report_elsewhere)(PyObject* error, Site* origin) noexcept = nullptr;

 private:
  struct Report {
    PyObject* error;  // strong
    Site* origin;     // a reference of its own, or null
  };

  void name_cancellation(Payload& payload) noexcept;
  Payload* take_unseen() noexcept;
  static void write(const Report& report) noexcept;

  Mutex mutex_;  // never held while Python code runs
  std::unordered_set<Payload*> unseen_;
  std::deque<Report> reports_;
  bool reporting_ = false;  // a thread writes what is in reports_, and what others add meanwhile
};

// The error of a failed result whose cown the caller does not hold, as a new reference: what is stored, or why it cannot be
// told. Null, without an error, if somebody has replaced it meanwhile, who has seen it then.
PyObject* unseen_error(Payload& payload) noexcept;

}  // namespace boc::py
