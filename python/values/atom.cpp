#include "atom.h"

#include <cstring>

namespace boc::py {
namespace {

// What an atom's bytes are; false if they are too many.
bool fill(Atom& atom, Atom::Kind kind, const void* data, size_t size) noexcept {
  if (size > Atom::kRoom) return false;
  atom.kind = kind;
  atom.size = uint8_t(size);
  std::memcpy(atom.data, data, size);
  return true;
}

bool string_to_atom(PyObject* o, Atom& atom) noexcept {
#if PY_VERSION_HEX < 0x030C0000
  if (PyUnicode_READY(o) < 0) {
    PyErr_Clear();
    return false;
  }
#endif
  Atom::Kind kind = PyUnicode_KIND(o) == PyUnicode_4BYTE_KIND   ? Atom::kUcs4
                    : PyUnicode_KIND(o) == PyUnicode_2BYTE_KIND ? Atom::kUcs2
                    : PyUnicode_IS_ASCII(o)                     ? Atom::kAscii
                                                                : Atom::kLatin1;
  return fill(atom, kind, PyUnicode_DATA(o), size_t(PyUnicode_GET_LENGTH(o)) * size_t(PyUnicode_KIND(o)));
}

bool int_to_atom(PyObject* o, Atom& atom) noexcept {
  int overflow;
  long long value = PyLong_AsLongLongAndOverflow(o, &overflow);
  return !overflow && fill(atom, Atom::kInt, &value, sizeof value);
}

}  // namespace

PyObject* new_string(const void* data, size_t characters, Py_UCS4 largest, int kind) noexcept {
  // One character: the interpreter has these.
  if (characters == 1 && kind == 1) return PyUnicode_FromOrdinal(*static_cast<const uint8_t*>(data));
  PyObject* made = PyUnicode_New(Py_ssize_t(characters), largest);
  if (made) std::memcpy(PyUnicode_DATA(made), data, characters * size_t(kind));
  return made;
}

bool to_atom(PyObject* o, Atom& atom) noexcept {
  PyTypeObject* type = Py_TYPE(o);
  if (type == &PyLong_Type) return int_to_atom(o, atom);
  if (type == &PyUnicode_Type) return string_to_atom(o, atom);
  if (o == Py_None) return fill(atom, Atom::kNone, nullptr, 0);
  if (type == &PyBool_Type) return fill(atom, o == Py_True ? Atom::kTrue : Atom::kFalse, nullptr, 0);
  if (type == &PyFloat_Type) {
    double value = PyFloat_AS_DOUBLE(o);
    return fill(atom, Atom::kFloat, &value, sizeof value);
  }
  return type == &PyBytes_Type && fill(atom, Atom::kBytes, PyBytes_AS_STRING(o), size_t(PyBytes_GET_SIZE(o)));
}

PyObject* from_atom(const Atom& atom) noexcept {
  switch (atom.kind) {
    case Atom::kFalse:
      return Py_NewRef(Py_False);
    case Atom::kTrue:
      return Py_NewRef(Py_True);
    case Atom::kInt: {
      long long value;
      std::memcpy(&value, atom.data, sizeof value);
      return PyLong_FromLongLong(value);
    }
    case Atom::kFloat: {
      double value;
      std::memcpy(&value, atom.data, sizeof value);
      return PyFloat_FromDouble(value);
    }
    case Atom::kAscii:
      return new_string(atom.data, atom.size, 0x7F, 1);
    case Atom::kLatin1:
      return new_string(atom.data, atom.size, 0xFF, 1);
    case Atom::kUcs2:
      return new_string(atom.data, atom.size / 2u, 0xFFFF, 2);
    case Atom::kUcs4:
      return new_string(atom.data, atom.size / 4u, 0x10FFFF, 4);
    case Atom::kBytes:
      return PyBytes_FromStringAndSize(atom.data, atom.size);
    default:
      return Py_NewRef(Py_None);
  }
}

}  // namespace boc::py
