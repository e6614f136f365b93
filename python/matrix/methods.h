// The method tables and slots that the types are made of, each in the file of its subject.
#pragma once

#include "compat.h"

namespace boc::py {

extern PyMethodDef arithmetic_methods[];
extern PyMethodDef unary_methods[];
extern PyMethodDef reduction_methods[];
extern PyMethodDef topk_methods[];
extern PyMethodDef geometry_methods[];
extern PyMethodDef binning_methods[];
extern PyMethodDef gather_methods[];
extern PyMethodDef factory_methods[];
extern PyMethodDef random_methods[];
extern PyMethodDef compare_methods[];
extern PyMethodDef buffer_methods[];
extern PyMethodDef view_making_methods[];
extern PyMethodDef access_methods[];
extern PyGetSetDef access_getset[];

PyObject* matrix_new(PyTypeObject* type, PyObject* args, PyObject* kwargs);

PyObject* number_negative(PyObject* self);
PyObject* number_absolute(PyObject* self);

PyObject* matrix_compare(PyObject* a, PyObject* b, int op);

// m[...]
Py_ssize_t matrix_length(PyObject* self);
PyObject* matrix_item(PyObject* self, Py_ssize_t i);
PyObject* matrix_subscript(PyObject* self, PyObject* key);
int matrix_assign(PyObject* self, PyObject* key, PyObject* value);

PyObject* matrix_transposed(PyObject* self, void*);

PyObject* matrix_repr(PyObject* self);
PyObject* matrix_str(PyObject* self);
PyObject* view_repr(PyObject* self);

int matrix_get_buffer(PyObject* self, Py_buffer* buffer, int flags);
void matrix_release_buffer(PyObject* self, Py_buffer* buffer);

}  // namespace boc::py
