// repr() and str().
#include <new>
#include <string>

#include "methods.h"
#include "operand.h"

namespace boc::py {
namespace {

// Six digits, like %g, whatever the locale.
bool add_number(std::string& text, double x) {
  char* digits = PyOS_double_to_string(x, 'g', 6, 0, nullptr);
  if (!digits) return false;
  text += digits;
  PyMem_Free(digits);
  return true;
}

bool add_rows(std::string& text, const Block& b, const char* margin) {
  for (Py_ssize_t i = 0; i < b.rows; ++i) {
    if (i > 0) (text += '\n') += margin;
    text += i == 0 ? "[[" : " [";
    for (Py_ssize_t j = 0; j < b.columns; ++j) {
      if (j > 0) text += ' ';
      if (!add_number(text, b(i, j))) return false;
    }
    text += ']';
  }
  text += ']';
  return true;
}

template <typename F>
PyObject* text_of(F&& write) {
  try {
    std::string text;
    if (!write(text)) return nullptr;
    return PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

}  // namespace

PyObject* matrix_repr(PyObject* self) {
  return text_of([self](std::string& text) {
    const Block b = block_of(self);
    text = "Matrix(" + std::to_string(b.rows) + ", " + std::to_string(b.columns) + ", [";
    for (Py_ssize_t i = 0; i < b.size(); ++i) {
      if (i > 0) text += ", ";
      if (!add_number(text, b.at[i])) return false;
    }
    text += "])";
    return true;
  });
}

PyObject* matrix_str(PyObject* self) {
  return text_of([self](std::string& text) { return add_rows(text, block_of(self), ""); });
}

PyObject* view_repr(PyObject* self) {
  return text_of([self](std::string& text) {
    text = "MatrixView(";
    if (!add_rows(text, block_of_view(as_view(self)), " ")) return false;
    text += ')';
    return true;
  });
}

}  // namespace boc::py
