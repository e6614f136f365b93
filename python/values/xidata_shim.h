// The one place that knows how CPython 3.10 to 3.15 spell cross-interpreter data. The prototypes are
// repeated here, as the headers that have them are private from 3.13 on and would bring Py_BUILD_CORE with them.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if PY_VERSION_HEX >= 0x030E0000
extern "C" {
struct _xidata;
typedef struct _xidata _PyXIData_t;
typedef struct {
  int (*basic)(PyThreadState*, PyObject*, _PyXIData_t*);
  int (*fallback)(PyThreadState*, PyObject*, int, _PyXIData_t*);
} _PyXIData_getdata_t;
PyAPI_FUNC(_PyXIData_t*) _PyXIData_New(void);
PyAPI_FUNC(void) _PyXIData_Free(_PyXIData_t*);
PyAPI_FUNC(_PyXIData_getdata_t) _PyXIData_Lookup(PyThreadState*, PyObject*);
PyAPI_FUNC(int) _PyObject_GetXIDataNoFallback(PyThreadState*, PyObject*, _PyXIData_t*);
PyAPI_FUNC(PyObject*) _PyXIData_NewObject(_PyXIData_t*);
PyAPI_FUNC(int) _PyXIData_Release(_PyXIData_t*);
}
#elif PY_VERSION_HEX >= 0x030D0000
extern "C" {
struct _xid;
typedef struct _xid _PyCrossInterpreterData;
PyAPI_FUNC(_PyCrossInterpreterData*) _PyCrossInterpreterData_New(void);
PyAPI_FUNC(void) _PyCrossInterpreterData_Free(_PyCrossInterpreterData*);
typedef int (*crossinterpdatafunc)(PyThreadState*, PyObject*, _PyCrossInterpreterData*);
PyAPI_FUNC(crossinterpdatafunc) _PyCrossInterpreterData_Lookup(PyObject*);
PyAPI_FUNC(int) _PyObject_GetCrossInterpreterData(PyObject*, _PyCrossInterpreterData*);
PyAPI_FUNC(PyObject*) _PyCrossInterpreterData_NewObject(_PyCrossInterpreterData*);
PyAPI_FUNC(int) _PyCrossInterpreterData_Release(_PyCrossInterpreterData*);
}
#endif  // up to 3.12 they are in public headers

namespace boc::py::xi {

#if PY_VERSION_HEX >= 0x030E0000

using Data = _PyXIData_t;

inline Data* make() noexcept {
  return _PyXIData_New();
}
inline void free(Data* empty) noexcept {
  _PyXIData_Free(empty);
}
inline bool is_registered(PyObject* object) noexcept {
  const _PyXIData_getdata_t found = _PyXIData_Lookup(PyThreadState_Get(), object);
  return found.basic || found.fallback;
}
inline int get(PyObject* object, Data* data) noexcept {
  return _PyObject_GetXIDataNoFallback(PyThreadState_Get(), object, data);
}
inline PyObject* new_object(Data* data) noexcept {
  return _PyXIData_NewObject(data);
}
inline int release(Data* data) noexcept {
  return _PyXIData_Release(data);
}

#else

using Data = _PyCrossInterpreterData;

#if PY_VERSION_HEX >= 0x030D0000
inline Data* make() noexcept {
  return _PyCrossInterpreterData_New();
}
inline void free(Data* empty) noexcept {
  _PyCrossInterpreterData_Free(empty);
}
#else
inline Data* make() noexcept {
  auto* data = static_cast<Data*>(PyMem_RawCalloc(1, sizeof(Data)));
  if (!data) PyErr_NoMemory();
  return data;
}
inline void free(Data* empty) noexcept {
  PyMem_RawFree(empty);
}
#endif
inline bool is_registered(PyObject* object) noexcept {
  return _PyCrossInterpreterData_Lookup(object) != nullptr;
}
inline int get(PyObject* object, Data* data) noexcept {
  return _PyObject_GetCrossInterpreterData(object, data);
}
inline PyObject* new_object(Data* data) noexcept {
  return _PyCrossInterpreterData_NewObject(data);
}
inline int release(Data* data) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
  return _PyCrossInterpreterData_Release(data);
#else
  _PyCrossInterpreterData_Release(data);
  return 0;
#endif
}

#endif

}  // namespace boc::py::xi
