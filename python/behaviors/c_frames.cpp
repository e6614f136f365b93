#include "c_frames.h"

#include <link.h>
#include <unwind.h>

#include <cstdint>
#include <cstring>

#include "compat.h"
#if PY_VERSION_HEX < 0x030B0000
#include <frameobject.h>
#endif

namespace boc::py {
namespace {

struct Range {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  bool has(uintptr_t address) const noexcept { return begin <= address && address < end; }
};

struct Module {
  uintptr_t address;  // what is asked for
  Range range;        // the code around it
  bool of_python = false;
};

int look_at_module(dl_phdr_info* info, size_t, void* argument) noexcept {
  auto& module = *static_cast<Module*>(argument);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    const uintptr_t begin = info->dlpi_addr + part.p_vaddr;
    const Range range{begin, begin + part.p_memsz};
    if (part.p_type != PT_LOAD || !range.has(module.address)) continue;
    module.range = range;
    // Python's own extension modules, and what ctypes calls back through.
    module.of_python = strstr(info->dlpi_name, "/lib-dynload/") || strstr(info->dlpi_name, "/libffi.so");
    return 1;
  }
  return 0;
}

Module module_of(uintptr_t address) noexcept {
  Module module{address, {}};
  dl_iterate_phdr(look_at_module, &module);
  return module;
}

struct Walk {
  Range python = module_of(reinterpret_cast<uintptr_t>(&PyObject_Vectorcall)).range;
  Range ours = module_of(reinterpret_cast<uintptr_t>(&may_leave_thread)).range;
};

struct Frames {
  const Walk& known;
  uintptr_t base;
  bool reached = false;
};

_Unwind_Reason_Code look_at_frame(_Unwind_Context* context, void* argument) noexcept {
  auto& frames = *static_cast<Frames*>(argument);
  if (_Unwind_GetCFA(context) > frames.base) {  // the stack grows down
    frames.reached = true;
    return _URC_NORMAL_STOP;
  }
  const auto address = static_cast<uintptr_t>(_Unwind_GetIP(context));
  const bool known = frames.known.python.has(address) || frames.known.ours.has(address);
  return known || module_of(address).of_python ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

}  // namespace

bool may_leave_thread(const void* base) noexcept {
  static const Walk known;
  Frames frames{known, reinterpret_cast<uintptr_t>(base)};
  _Unwind_Backtrace(look_at_frame, &frames);
  return frames.reached;
}

bool importing() noexcept {
  Ref frame(reinterpret_cast<PyObject*>(PyThreadState_GetFrame(PyThreadState_Get())));
  while (frame) {
    auto* f = reinterpret_cast<PyFrameObject*>(frame.get());
    Ref code(reinterpret_cast<PyObject*>(PyFrame_GetCode(f)));
    PyObject* name = reinterpret_cast<PyCodeObject*>(code.get())->co_filename;
    const char* file = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : nullptr;
    if (!file) PyErr_Clear();
    if (file && strncmp(file, "<frozen importlib", 17) == 0) return true;
    frame = Ref(reinterpret_cast<PyObject*>(PyFrame_GetBack(f)));
  }
  return false;
}

}  // namespace boc::py
