// Arguments of the matrices' methods, which are called with METH_FASTCALL | METH_KEYWORDS.
#pragma once

#include "matrix.h"

namespace boc::py {

// Which parameters there are: `names` in their order, the first `fixed` by position only, the first `positional` by
// position or name, the rest by name only. The first `required` must be given.
struct Signature {
  const char* method;
  int fixed;
  int positional;
  int required;
  int count;
  const char* names[6];
};

// Borrowed arguments in the order of the names; null for what is not given. False with TypeError.
bool take_arguments(const Signature& s, PyObject* const* args, Py_ssize_t n, PyObject* kwnames, PyObject** out);

// The same from a tuple and a dict.
bool take_arguments(const Signature& s, PyObject* args, PyObject* kwargs, PyObject** out);

enum class Axis { down, across, all };  // axis=0 goes down the columns: one result per column

// Null or None is all. False with TypeError, ValueError or OverflowError.
bool parse_axis(PyObject* o, Axis* axis);
// Of take() and its kin: None is not allowed, and what is out of range is a KeyError.
bool parse_gather_axis(PyObject* o, Axis* axis);
// Null is `otherwise`. -1 with an error.
int parse_flag(PyObject* o, bool otherwise);
// A shape: a tuple of two integers of at least 1.
bool parse_size(PyObject* o, const char* method, Py_ssize_t* rows, Py_ssize_t* columns);
// A plain number: int, float, bool, or what has __float__ or __index__. 1, 0 (it is none, without an error), or -1.
int as_number(PyObject* o, double* value);
bool parse_number(PyObject* o, const char* what, double* value);
// An integer by __index__, `what` in the OverflowError.
bool parse_index(PyObject* o, Py_ssize_t* value);

// Where a result goes: into `out` if it is a matrix of the shape, into self, or into a new one. A new reference.
struct Target {
  PyObject* out = nullptr;
  bool in_place = false;

  // From the arguments, either of which may be null. False with an error.
  static bool parse(PyObject* in_place, PyObject* out, Target* target);
  PyObject* make(PyObject* self, Py_ssize_t rows, Py_ssize_t columns) const;
};

// For a method table.
#define BOC_FAST(f) reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(f)), METH_FASTCALL | METH_KEYWORDS

}  // namespace boc::py
