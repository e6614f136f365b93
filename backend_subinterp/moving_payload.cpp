#include "moving_payload.h"

#include <algorithm>
#include <new>
#include <utility>

#include "context.h"
#include "main_thread.h"
#include "movable.h"
#include "py_errors.h"
#include "station.h"

namespace boc::py {
namespace {

void drop_copies(ReaderCopy* copies) noexcept {
  while (copies) {
    ReaderCopy* next = copies->next;
    copies->home->station->drop_later(copies->value);
    delete copies;
    copies = next;
  }
}

// The caller keeps the value alive. It may be another's by now (T5): nothing is noted then.
void note_reason(MovingPayload& payload, PyObject* value) noexcept {
  PyObject* error = take_exception();
  if (error && !PyErr_GivenExceptionMatches(error, PyExc_Exception) && home().main() && on_main_thread()) {
    raise_exception(error);  // what a signal's handler raises says nothing about the value
    return;
  }
  {
    std::lock_guard guard(payload.lock);
    if (payload.value == value) payload.uncarriable = true;
  }
  Ref text(error ? reason_of(error) : nullptr);
  const char* utf8 = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
  try {
    auto* reason =
        new std::string(std::string("of type '") + Py_TYPE(value)->tp_name + "': " + (utf8 ? utf8 : "unknown"));
    {
      std::lock_guard guard(payload.lock);
      if (payload.value == value) std::swap(payload.reason, reason);
    }
    delete reason;
  } catch (const std::bad_alloc&) {
  }
  PyErr_Clear();
  Py_XDECREF(error);
}

// keep: the value stays resident beside it. Otherwise it is the caller's; false, and nothing is changed, if it is not the
// payload's any more (T5).
bool add_encoded(MovingPayload& payload, const PyObject* value, Encoded* stolen, bool keep) noexcept {
  const auto weight = static_cast<uint32_t>(std::min<size_t>(stolen->weight(), UINT32_MAX));
  Encoded* other = nullptr;
  bool added = true;
  {
    [[maybe_unused]] auto value_guard = payload.lock_value();
    std::lock_guard guard(payload.lock);
    if (!keep) added = payload.home->station->take_resident(payload, value) != nullptr;
    if (added) {
      other = std::exchange(payload.at.encoded, stolen);  // of another reader, who was quicker
      payload.uncarriable = false;
      payload.weight = weight;
    } else {
      other = stolen;
    }
  }
  if (other) other->unref();
  return added;
}

// While it lives, nobody else takes the value for one that stays.
class Leaving {
 public:
  Leaving(MovingPayload& payload, bool leaves) noexcept : payload_(payload) { set(leaves); }
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;
  ~Leaving() { set(false); }

 private:
  void set(bool leaves) noexcept {
    [[maybe_unused]] auto guard = payload_.lock_value();
    payload_.leaving = leaves;
  }

  MovingPayload& payload_;
};

// What weighs more is encoded when it is asked for: whoever sends a behavior has others to send.
constexpr uint32_t QUICK = 64 * 1024;

}  // namespace

void become_inline(MovingPayload& payload, const Atom& atom) noexcept {
  payload.in_line = true;
  payload.atom = atom;
}

void become_resident(MovingPayload& payload, PyObject* stolen) noexcept {
  payload.in_line = false;
  payload.at = {nullptr, nullptr, nullptr};
  payload.home = &home();
  payload.value = stolen;
  payload.weight = weigh(stolen);
  payload.home->station->list_resident(payload);
}

void become_encoded(MovingPayload& payload, Encoded* stolen) noexcept {
  payload.in_line = false;
  payload.at = {nullptr, nullptr, stolen};
}

PyObject* clear_state(MovingPayload& payload) noexcept {
  PyObject* mine = nullptr;
  if (!payload.in_line) {
    Home* where = payload.home;
    if (PyObject* value = where ? where->station->take_resident(payload, nullptr) : nullptr) {
      if (where == &home()) {
        mine = value;
      } else {
        where->station->drop_later(value);
      }
    }
    if (Encoded* encoded = std::exchange(payload.at.encoded, nullptr)) encoded->unref();
  }
  drop_copies(std::exchange(payload.copies, nullptr));
  payload.in_line = true;
  payload.atom.kind = Atom::kNothing;
  payload.uncarriable = false;
  if (payload.reason) delete std::exchange(payload.reason, nullptr);
  return mine;
}

void replace_encoded(MovingPayload& payload, Encoded* stolen) noexcept {
  {
    std::lock_guard guard(payload.lock);
    std::swap(payload.at.encoded, stolen);
  }
  if (stolen) stolen->unref();
}

void forget_copies(MovingPayload& payload) noexcept {
  if (payload.in_line) return;
  replace_encoded(payload, nullptr);
  drop_copies(std::exchange(payload.copies, nullptr));
}

uint32_t weigh(PyObject* value) noexcept {
  PyTypeObject* type = Py_TYPE(value);
  Py_ssize_t weight = 64;
  if (type == &PyList_Type) {
    weight += 16 * PyList_GET_SIZE(value);
  } else if (type == &PyTuple_Type) {
    weight += 16 * PyTuple_GET_SIZE(value);
  } else if (type == &PyDict_Type) {
    weight += 32 * PyDict_GET_SIZE(value);
  } else if (type == &PySet_Type || type == &PyFrozenSet_Type) {
    weight += 16 * PySet_GET_SIZE(value);
  } else if (type == &PyBytes_Type) {
    weight += PyBytes_GET_SIZE(value);
  } else if (type == &PyByteArray_Type) {
    weight += PyByteArray_GET_SIZE(value);
  } else if (type == &PyUnicode_Type) {
    weight += PyUnicode_GET_LENGTH(value);
  } else if (!is_matrix(value)) {  // a matrix moves without a copy, whatever its size
    weight = PICKLED;
  }
  return static_cast<uint32_t>(weight < UINT32_MAX ? weight : UINT32_MAX);
}

bool encode_resident(MovingPayload& payload, PyObject* value, bool keep) noexcept {
  Carrying carrying;
  Leaving leaving(payload, !keep);
  PyObject* left = nullptr;
  Encoded* encoded = keep ? encode(value) : encode_stolen(value, &left);
  if (!encoded) {
    note_reason(payload, value);
    return false;
  }
  if (add_encoded(payload, value, encoded, keep)) Py_XDECREF(left);  // its destructors may look at the cown
  return true;
}

bool encode_ahead(MovingPayload& payload, bool keep) noexcept {
  PyObject* value = payload.value;
  const bool moves = !keep && (is_matrix(value) || movable(value));
  if (!moves && payload.look().weight > QUICK) return false;
  PyObject* left = nullptr;
  Encoded* encoded =
      moves ? encode_stolen(value, &left) : encode_shortly(value, keep ? Transfer::copy : Transfer::move, QUICK);
  if (!encoded) {
    if (moves) PyErr_Clear();  // encode_shortly() leaves errors as they were, perhaps one that is on its way
    return false;
  }
  add_encoded(payload, value, encoded, keep);
  // Not at once: a set may have a weak reference with a callback.
  if (!keep && !moves) home().station->drop_later(value);
  Py_XDECREF(left);  // bytes or a matrix, which run nothing
  return true;
}

std::string reason_why(MovingPayload& payload) {
  std::lock_guard guard(payload.lock);
  return payload.reason ? *payload.reason : "nothing that can be encoded";
}

void raise_uncarriable(MovingPayload& payload) {
  const char* where = payload.home && payload.home->main() ? "the main interpreter" : "another worker's interpreter";
  Ref message(PyUnicode_FromFormat(
      "the value of this cown lives in %s and cannot be carried into this one: it is %s. Put plain data into the "
      "cown, or let all behaviors that use such values share one cown, so that they run where the values are",
      where, reason_why(payload).c_str()));
  raise_error("TransferError", message.release());
}

}  // namespace boc::py
