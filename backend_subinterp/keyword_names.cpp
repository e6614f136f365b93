#include "keyword_names.h"

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <new>

namespace boc::py {

#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030D0000

namespace {

const char* const kNames[] = {"bocpy", nullptr};

// The values of _PyArg_Parser::initialized.
constexpr int kOwnsNames = 1;
constexpr int kBorrowsNames = -1;

// A parser that is new to CPython goes to the front of its private list: from there the list can be walked.
_PyArg_Parser* newest_parser() noexcept {
  auto* parser = new (std::nothrow) _PyArg_Parser{};  // never deleted: it stays in the list
  if (!parser) return nullptr;
  parser->keywords = kNames;
  parser->format = "|O:bocpy";
  PyObject* no_arguments = PyTuple_New(0);
  PyObject* ignored = nullptr;
  if (!no_arguments || !_PyArg_ParseTupleAndKeywordsFast(no_arguments, nullptr, parser, &ignored)) {
    PyErr_Clear();
    parser = nullptr;  // it may be in the list already
  }
  Py_XDECREF(no_arguments);
  return parser;
}

}  // namespace

void adopt_keyword_names() noexcept {
  if (Py_Version >= 0x030C0400) return;  // the CPython that runs, not the one of the headers
  for (_PyArg_Parser* parser = newest_parser(); parser; parser = parser->next) {
    if (parser->initialized == kOwnsNames) parser->initialized = kBorrowsNames;
  }
}

#else

void adopt_keyword_names() noexcept {}

#endif

}  // namespace boc::py
