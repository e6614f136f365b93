// The one place that knows how CPython 3.12, 3.13 and 3.14 to 3.15 spell cross-interpreter data. The prototypes are
// repeated here, as the headers that have them are private from 3.13 on and would bring Py_BUILD_CORE with them.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>

#if PY_VERSION_HEX >= 0x030C0000
#define BOC_HAS_XIDATA 1

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
PyAPI_FUNC(void) _PyXIData_Init(_PyXIData_t*, PyInterpreterState*, void*, PyObject*, PyObject* (*)(_PyXIData_t*));
PyAPI_FUNC(_PyXIData_getdata_t) _PyXIData_Lookup(PyThreadState*, PyObject*);
PyAPI_FUNC(int) _PyObject_GetXIDataNoFallback(PyThreadState*, PyObject*, _PyXIData_t*);
PyAPI_FUNC(PyObject*) _PyXIData_NewObject(_PyXIData_t*);
PyAPI_FUNC(int) _PyXIData_Release(_PyXIData_t*);
PyAPI_FUNC(int) _PyXIData_RegisterClass(PyThreadState*, PyTypeObject*, _PyXIData_getdata_t);
}
#elif PY_VERSION_HEX >= 0x030D0000
extern "C" {
struct _xid;
typedef struct _xid _PyCrossInterpreterData;
PyAPI_FUNC(_PyCrossInterpreterData*) _PyCrossInterpreterData_New(void);
PyAPI_FUNC(void) _PyCrossInterpreterData_Free(_PyCrossInterpreterData*);
PyAPI_FUNC(void) _PyCrossInterpreterData_Init(_PyCrossInterpreterData*, PyInterpreterState*, void*, PyObject*,
                                              PyObject* (*)(_PyCrossInterpreterData*));
typedef int (*crossinterpdatafunc)(PyThreadState*, PyObject*, _PyCrossInterpreterData*);
PyAPI_FUNC(crossinterpdatafunc) _PyCrossInterpreterData_Lookup(PyObject*);
PyAPI_FUNC(int) _PyObject_GetCrossInterpreterData(PyObject*, _PyCrossInterpreterData*);
PyAPI_FUNC(PyObject*) _PyCrossInterpreterData_NewObject(_PyCrossInterpreterData*);
PyAPI_FUNC(int) _PyCrossInterpreterData_Release(_PyCrossInterpreterData*);
PyAPI_FUNC(int) _PyCrossInterpreterData_RegisterClass(PyTypeObject*, crossinterpdatafunc);
}
#endif  // 3.12 has them in its public headers

namespace boc::py::xi {

#if PY_VERSION_HEX >= 0x030E0000

using Data = _PyXIData_t;
using GetData = int (*)(PyThreadState*, PyObject*, Data*);
using NewObject = PyObject* (*)(Data*);

inline Data* make() noexcept {
  return _PyXIData_New();
}
inline void free(Data* empty) noexcept {
  _PyXIData_Free(empty);
}
inline void init(Data* data, PyInterpreterState* owner, void* shared, PyObject* object, NewObject rebuild) noexcept {
  _PyXIData_Init(data, owner, shared, object, rebuild);
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
inline int register_class(PyTypeObject* type, GetData get_data) noexcept {
  return _PyXIData_RegisterClass(PyThreadState_Get(), type, {get_data, nullptr});
}

#else

using Data = _PyCrossInterpreterData;
using GetData = int (*)(PyThreadState*, PyObject*, Data*);
using NewObject = PyObject* (*)(Data*);

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
inline void init(Data* data, PyInterpreterState* owner, void* shared, PyObject* object, NewObject rebuild) noexcept {
  _PyCrossInterpreterData_Init(data, owner, shared, object, rebuild);
}
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
  return _PyCrossInterpreterData_Release(data);
}
inline int register_class(PyTypeObject* type, GetData get_data) noexcept {
  return _PyCrossInterpreterData_RegisterClass(type, get_data);
}

#endif

// What a Data begins with, in every version.
struct Fields {
  void* shared;
  PyObject* object;
  std::int64_t owner;
  NewObject rebuild;
  void (*free)(void*);
};
inline void* shared_pointer(Data* data) noexcept {
  return reinterpret_cast<Fields*>(data)->shared;
}
// `free_shared` is called with the shared pointer, in the owner, and must not touch Python.
inline void set_free(Data* data, void (*free_shared)(void*)) noexcept {
  reinterpret_cast<Fields*>(data)->free = free_shared;
}

}  // namespace boc::py::xi

#else
#define BOC_HAS_XIDATA 0
#endif
