#include "matrix_type.h"

#include <new>
#include <vector>

#include "arithmetic.h"
#include "heap_type.h"
#include "iterators.h"
#include "methods.h"
#include "view.h"

namespace boc::py {
namespace {

void matrix_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  as_matrix(self)->doubles->unref();
  PyObject_Free(self);
  Py_DECREF(type);
}

PyObject* matrix_iter(PyObject* self) {
  return new_iterator(self, Each::rows);
}

// One table of all the files' tables. It lasts as long as the process: every interpreter's type refers to it.
PyMethodDef* all_methods() {
  static PyMethodDef* made = [] {
    std::vector<PyMethodDef> all;
    for (PyMethodDef* table : {arithmetic_methods, unary_methods, reduction_methods, topk_methods, geometry_methods,
                               binning_methods, gather_methods, factory_methods, random_methods, compare_methods,
                               buffer_methods, view_making_methods, access_methods}) {
      for (; table->ml_name; ++table) all.push_back(*table);
    }
    auto* table = new PyMethodDef[all.size() + 1]{};
    std::copy(all.begin(), all.end(), table);
    return table;
  }();
  return made;
}

PyTypeObject* make_matrix_type(PyObject* module) {
  PyType_Slot slots[] = {
      {Py_tp_doc,
       const_cast<char*>("Matrix(rows, columns, values=None)\n--\n\nA matrix of floats, row by row: of zeros, of "
                         "one number, or of a flat sequence of rows * columns numbers.")},
      {Py_tp_new, reinterpret_cast<void*>(matrix_new)},
      {Py_tp_dealloc, reinterpret_cast<void*>(matrix_dealloc)},
      {Py_tp_repr, reinterpret_cast<void*>(matrix_repr)},
      {Py_tp_str, reinterpret_cast<void*>(matrix_str)},
      {Py_tp_hash, reinterpret_cast<void*>(PyObject_HashNotImplemented)},
      {Py_tp_richcompare, reinterpret_cast<void*>(matrix_compare)},
      {Py_tp_iter, reinterpret_cast<void*>(matrix_iter)},
      {Py_tp_methods, all_methods()},
      {Py_tp_getset, access_getset},
      {Py_bf_getbuffer, reinterpret_cast<void*>(matrix_get_buffer)},
      {Py_bf_releasebuffer, reinterpret_cast<void*>(matrix_release_buffer)},
      {Py_sq_length, reinterpret_cast<void*>(matrix_length)},
      {Py_sq_item, reinterpret_cast<void*>(matrix_item)},
      {Py_mp_length, reinterpret_cast<void*>(matrix_length)},
      {Py_mp_subscript, reinterpret_cast<void*>(matrix_subscript)},
      {Py_mp_ass_subscript, reinterpret_cast<void*>(matrix_assign)},
      {Py_nb_add, reinterpret_cast<void*>(number_add)},
      {Py_nb_subtract, reinterpret_cast<void*>(number_subtract)},
      {Py_nb_multiply, reinterpret_cast<void*>(number_multiply)},
      {Py_nb_true_divide, reinterpret_cast<void*>(number_divide)},
      {Py_nb_matrix_multiply, reinterpret_cast<void*>(matrix_multiply)},
      {Py_nb_inplace_add, reinterpret_cast<void*>(number_add_in_place)},
      {Py_nb_inplace_subtract, reinterpret_cast<void*>(number_subtract_in_place)},
      {Py_nb_inplace_multiply, reinterpret_cast<void*>(number_multiply_in_place)},
      {Py_nb_inplace_true_divide, reinterpret_cast<void*>(number_divide_in_place)},
      {Py_nb_negative, reinterpret_cast<void*>(number_negative)},
      {Py_nb_absolute, reinterpret_cast<void*>(number_absolute)},
      {0, nullptr}};
  PyType_Spec spec = {"bocpy.Matrix", sizeof(MatrixObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};
  return make_type(module, &spec, nullptr);
}

// For tests: where the numbers are.
PyObject* address_of(PyObject*, PyObject* matrix) {
  if (!is_matrix(matrix)) {
    PyErr_SetString(PyExc_TypeError, "_matrix_address() takes a Matrix");
    return nullptr;
  }
  return PyLong_FromVoidPtr(as_matrix(matrix)->doubles->data());
}

PyMethodDef functions[] = {{"_matrix_address", address_of, METH_O, nullptr},
                           {"_matrix_from_bytes", matrix_from_bytes, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

int add_matrix_types(PyObject* module) {
  Home& here = home();
  try {
    here.matrix_type = make_matrix_type(module);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  }
  if (!here.matrix_type || !(here.matrix_view_type = make_view_type(module)) ||
      !(here.matrix_views_type = make_views_type(module)) ||
      !(here.matrix_iterator_type = make_iterator_type(module))) {
    return -1;
  }
  if (PyModule_AddObjectRef(module, "Matrix", reinterpret_cast<PyObject*>(here.matrix_type)) < 0 ||
      PyModule_AddObjectRef(module, "MatrixView", reinterpret_cast<PyObject*>(here.matrix_view_type)) < 0) {
    return -1;
  }
  return PyModule_AddFunctions(module, functions);
}

}  // namespace boc::py
