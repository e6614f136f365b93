#include "xidata.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <new>
#include <unordered_map>
#include <utility>

#include "compat.h"
#include "xidata_shim.h"

namespace boc::py {
namespace {

// CPython would post a release from elsewhere as a pending call, of which an interpreter takes 32 (3.12) or 300, and
// drops the rest. So what is released elsewhere waits in a list of ours for its owner.
struct Share {
  xi::Data* data;
  std::int64_t owner;
  unsigned epoch;
  Share* next;
};

struct Returns {
  Share* first = nullptr;
  bool ended = false;
};

struct Registry {
  std::mutex mutex;  // never held while Python runs
  std::unordered_map<std::int64_t, Returns> owners;
};

// Never destroyed: released are shares until the very end of the process. Replaced in a forked child.
std::atomic<Registry*> registry{new Registry};
std::atomic<long> waiting{0};
std::atomic<unsigned> epoch{0};  // how many forks lie between this process and the first

thread_local Transfer transfer = Transfer::move;

std::int64_t here() noexcept {
  return PyInterpreterState_GetID(PyInterpreterState_Get());
}

// In a forked child only what main owns is still there.
bool was_forked_away(const Share& share) noexcept {
  return share.owner != 0 && share.epoch != epoch.load(std::memory_order_relaxed);
}

void destroy(Share* share) noexcept {
  if (xi::release(share->data) != 0) PyErr_Clear();
  xi::free(share->data);
  delete share;
}

void hand_back(Share* share) noexcept {
  if (was_forked_away(*share)) return;
  Registry& all = *registry.load(std::memory_order_relaxed);
  const std::lock_guard<std::mutex> lock(all.mutex);
  try {
    Returns& returns = all.owners[share->owner];
    if (returns.ended) return;
    share->next = returns.first;
    returns.first = share;
    waiting.fetch_add(1, std::memory_order_relaxed);
  } catch (const std::bad_alloc&) {  // then it stays, as if its owner had ended
  }
}

void drain(bool ends) noexcept {
  Share* share = nullptr;
  Registry& all = *registry.load(std::memory_order_relaxed);
  {
    const std::lock_guard<std::mutex> lock(all.mutex);
    try {
      Returns& returns = all.owners[here()];
      share = returns.first;
      returns.first = nullptr;
      returns.ended = ends;
    } catch (const std::bad_alloc&) {
    }
  }
  while (share) {
    Share* next = share->next;
    waiting.fetch_sub(1, std::memory_order_relaxed);
    destroy(share);
    share = next;
  }
}

bool has_ended(const Share& share) noexcept {
  if (was_forked_away(share)) return true;
  Registry& all = *registry.load(std::memory_order_relaxed);
  const std::lock_guard<std::mutex> lock(all.mutex);
  const auto found = all.owners.find(share.owner);
  return found != all.owners.end() && found->second.ended;
}

// Types that CPython registers itself and the codec (or pickle, by value) does better; a memoryview would let two
// interpreters write to one memory.
bool is_codec_type(PyTypeObject* type) noexcept {
  return type == Py_TYPE(Py_None) || type == &PyBool_Type || type == &PyLong_Type || type == &PyFloat_Type ||
         type == &PyUnicode_Type || type == &PyBytes_Type || type == &PyTuple_Type || type == &PyCode_Type ||
         type == &PyFunction_Type || type == &PyMemoryView_Type;
}

}  // namespace

Transfer exchange_transfer(Transfer kind) noexcept {
  return std::exchange(transfer, kind);
}
TransferKind::TransferKind(Transfer kind) noexcept : before_(std::exchange(transfer, kind)) {}

TransferKind::~TransferKind() {
  transfer = before_;
}

Transfer current_transfer() noexcept {
  return transfer;
}

bool xi_supported(PyObject* object) noexcept {
  if (is_codec_type(Py_TYPE(object))) return false;
  const bool found = xi::is_registered(object);
  if (!found && PyErr_Occurred()) PyErr_Clear();
  return found;
}

int xi_share(PyObject* object, void** handle) noexcept {
  xi_drain();
  auto* share = new (std::nothrow) Share{nullptr, here(), epoch.load(std::memory_order_relaxed), nullptr};
  if (!share) {
    PyErr_NoMemory();
    return -1;
  }
  share->data = xi::make();
  if (!share->data || xi::get(object, share->data) != 0) {
    PyObject* error = take_exception();
    if (share->data) xi::free(share->data);
    delete share;
    raise_exception(error);
    return -1;
  }
  *handle = share;
  return 0;
}

PyObject* xi_rebuild(void* handle) noexcept {
  auto* share = static_cast<Share*>(handle);
  if (has_ended(*share)) {
    PyErr_SetString(PyExc_RuntimeError,
                    "this object cannot be made here: the interpreter that shared it is gone (it has ended, or it was "
                    "left in the process that this one was forked from). Make the object again in this process");
    return nullptr;
  }
  return xi::new_object(share->data);
}

PyObject* xi_copy(PyObject* object) noexcept {
  const TransferKind kind(Transfer::copy);
  void* handle = nullptr;
  if (xi_share(object, &handle) < 0) return nullptr;
  PyObject* copy = xi_rebuild(handle);
  xi_release(handle);
  return copy;
}

void xi_release(void* handle) noexcept {
  auto* share = static_cast<Share*>(handle);
  if (!was_forked_away(*share) && attached() && here() == share->owner) {
    PyObject* error = take_exception();
    destroy(share);
    raise_exception(error);
  } else {
    hand_back(share);
  }
}

void xi_drain() noexcept {
  if (waiting.load(std::memory_order_relaxed) > 0) drain(false);
}

void xi_interpreter_ends() noexcept {
  drain(true);
}

void xi_after_fork_in_child() noexcept {
  // Another thread may have been at it: the parent's registry is left alone, with what main had not drained yet.
  if (auto* fresh = new (std::nothrow) Registry) registry.store(fresh, std::memory_order_relaxed);
  waiting.store(0, std::memory_order_relaxed);
  epoch.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace boc::py
