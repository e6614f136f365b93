// The values of the sub-interpreter backend: how they change between inline, resident and encoded.
#include <new>

#include "carry_bridge.h"
#include "copy.h"
#include "encoder.h"
#include "immutable.h"
#include "main_thread.h"
#include "py_errors.h"
#include "station.h"
#include "subinterp_backend.h"
#include "window_list.h"

namespace boc::py {
namespace {

FetchCounters& counters_here() noexcept {
  static thread_local FetchCounters others;  // of threads outside the workers, which nobody asks for
  Worker* worker = context().worker;
  return worker ? worker_data(*worker)->stats.fetches : others;
}

void refuse_value(PyObject* value) {
  Ref what(PyUnicode_FromFormat("this value of type '%s'", Py_TYPE(value)->tp_name));
  if (what) {
    raise_transfer_error(what.get(),
                         "A cown's value must be able to go to the workers' interpreters: put plain data into it, or "
                         "make the value inside a behavior, where it can stay");
  }
}

// What was encoded without complaint cannot be made again.
void refuse_rebuilding(const char* value) {
  Ref what(PyUnicode_FromString(value));
  if (what) raise_transfer_error(what.get(), "It was pickled, but cannot be unpickled: see to its __reduce__");
}

class PostedBytes final : public Posted {
 public:
  explicit PostedBytes(EncodedRef encoded) noexcept : encoded_(std::move(encoded)) {}
  PyObject* copy() const override { return rebuilt(decode(*encoded_)); }
  PyObject* take() override { return rebuilt(boc::py::take(encoded_)); }

 private:
  static PyObject* rebuilt(PyObject* value) {
    if (!value) refuse_rebuilding("this value");
    return value;
  }

  EncodedRef encoded_;
};

// stays: in the interpreter of the behavior that has it. Elsewhere it is encoded at once, so that errors appear where the
// value is given.
int install(MovingPayload& p, PyObject* stolen, bool stays, PyObject** old) {
  Atom atom;
  if (to_atom(stolen, atom)) {
    *old = replace_state(p, [&] { become_inline(p, atom); }, true);
    Py_DECREF(stolen);
    return 0;
  }
  if (stays) {
    *old = replace_state(p, [&] { become_resident(p, stolen); });
    return 0;
  }
  PyObject* left;
  Encoded* encoded = encode_stolen(stolen, &left);
  if (!encoded) {
    refuse_value(stolen);
    Py_DECREF(stolen);
    return -1;
  }
  *old = replace_state(p, [&] { become_encoded(p, encoded); });
  Py_XDECREF(left);
  return 0;
}

// It is elsewhere and not encoded yet. -1 with TransferError.
int encode_elsewhere(MovingPayload& p, bool keep) {
  if (!p.elsewhere() || p.encoded() || fetch(p, keep, counters_here())) return 0;
  if (!PyErr_Occurred()) raise_uncarriable(p);
  return -1;
}

EncodedRef encoded_of(MovingPayload& p) noexcept {
  std::lock_guard guard(p.lock);
  Encoded* encoded = p.encoded();
  if (encoded) encoded->ref();
  return EncodedRef(encoded);
}

int raise_lost() {
  return raise_error("TransferError",
                     PyUnicode_FromString("the value of this cown went with the interpreter of the worker where it "
                                          "lived: it could not be carried when that ended"));
}

// A reader's: decoded anew. Null with TransferError.
PyObject* fresh_copy(MovingPayload& p) {
  if (encode_elsewhere(p, true) < 0) return nullptr;
  EncodedRef encoded = encoded_of(p);
  if (!encoded) {
    raise_lost();
    return nullptr;
  }
  PyObject* value = decode(*encoded);
  if (!value) refuse_rebuilding("the value of this cown");
  return value;
}

}  // namespace

Payload* SubinterpBackend::make_payload(PyObject* stolen) {
  void* block = allocate_block(sizeof(MovingPayload));
  if (!block) {
    Py_DECREF(stolen);
    return nullptr;
  }
  auto* p = new (block) MovingPayload;
  p->atom.kind = Atom::kNothing;
  p->generation = generation;
  PyObject* old = nullptr;
  // In main nothing may stay resident, but for what leave() looks after.
  const bool stays = context().current && !home().main();
  if (install(*p, stolen, stays, &old) == 0) return p;
  delete p;
  return nullptr;
}

Payload* SubinterpBackend::make_pinned(PyObject* stolen) {
  Payload* payload = make_payload(Py_NewRef(Py_None));
  if (!payload) {
    Py_DECREF(stolen);
    return nullptr;
  }
  payload->pinned = true;
  become_resident(moving(*payload), stolen);
  return payload;
}

int SubinterpBackend::put(Payload& payload, PyObject* stolen, PyObject** old) {
  if (payload.pinned) {
    *old = payload.replace(stolen);
    return 0;
  }
  return install(moving(payload), stolen, context().current != nullptr, old);
}

PyObject* SubinterpBackend::take_over(Payload& payload) {
  MovingPayload& p = moving(payload);
  if (encode_elsewhere(p, false) < 0) return nullptr;
  EncodedRef encoded = encoded_of(p);
  if (!encoded) {
    raise_lost();
    return nullptr;
  }
  PyObject* value;
  if (!p.value) {
    // The payload's own reference goes, so that large buffers can move.
    replace_encoded(p, nullptr);
    value = take(encoded);
    if (!value) replace_encoded(p, encoded.release());
  } else {
    value = decode_last(*encoded);
  }
  if (!value) {
    refuse_rebuilding("the value of this cown");
    return nullptr;
  }
  Py_XDECREF(replace_state(p, [&] { become_resident(p, Py_NewRef(value)); }));
  return value;
}

PyObject* SubinterpBackend::read_copy(Payload& payload) {
  MovingPayload& p = moving(payload);
  auto known = [&]() -> PyObject* {
    for (ReaderCopy* copy = p.copies; copy; copy = copy->next) {
      if (copy->home == &home()) return Py_NewRef(copy->value);
    }
    return nullptr;
  };
  {
    std::lock_guard guard(p.lock);
    if (PyObject* value = known()) return value;
  }
  PyObject* value = fresh_copy(p);
  if (!value) return nullptr;
  auto* copy = new (std::nothrow) ReaderCopy{&home(), value, nullptr};
  PyObject* other = nullptr;
  {
    std::lock_guard guard(p.lock);
    other = known();  // of another reader here
    if (!other && copy) {
      copy->next = p.copies;
      p.copies = std::exchange(copy, nullptr);
      Py_INCREF(value);
    }
  }
  delete copy;
  if (!other) return value;
  Py_DECREF(value);
  return other;
}

PyObject* SubinterpBackend::bring(Payload& payload, bool writes) {
  MovingPayload& p = moving(payload);
  if (p.in_line) {
    if (p.atom.kind != Atom::kNothing) return from_atom(p.atom);
    raise_lost();
    return nullptr;
  }
  return writes ? take_over(p) : read_copy(p);
}

PyObject* SubinterpBackend::peek(Payload& payload) {
  MovingPayload& p = moving(payload);
  Atom atom;
  {
    [[maybe_unused]] auto guard = p.lock_value();
    // Who looks may change the value in place: its encoded form and the readers' copies would be out of date.
    if (!p.in_line) return p.resident_here() && !p.leaving && !p.at.encoded && !p.copies ? Py_NewRef(p.value) : nullptr;
    atom = p.atom;
  }
  return atom.kind == Atom::kNothing ? nullptr : from_atom(atom);
}

PyObject* SubinterpBackend::stored_error(Payload& payload) {
  MovingPayload& p = moving(payload);
  EncodedRef encoded;
  {
    std::lock_guard guard(p.lock);
    if (p.in_line) return nullptr;
    if (p.resident_here()) return Py_NewRef(p.value);
    if (p.at.encoded) {
      p.at.encoded->ref();
      encoded = EncodedRef(p.at.encoded);
    } else if (!p.uncarriable) {
      return nullptr;  // a holder has it
    }
  }
  if (!encoded) {
    raise_uncarriable(p);
    return nullptr;
  }
  PyObject* error = decode(*encoded);
  if (!error) refuse_rebuilding("the error of a behavior");
  return error;
}

PyObject* SubinterpBackend::value_to_change(Payload& payload) {
  PyObject* value = PyBackend::value_to_change(payload);
  if (value && payload.resident_here()) forget_copies(moving(payload));
  return value;
}

int SubinterpBackend::end_hold(Payload& payload) {
  MovingPayload& p = moving(payload);
  if (p.pinned || !p.resident_here()) return 0;
  forget_copies(p);
  if (encode_resident(p, p.value, false)) return 0;
  if (!PyErr_Occurred()) {
    raise_error("TransferError",
                PyUnicode_FromFormat("what this hold leaves in the cown cannot be carried to the workers: it is %s. It "
                                     "stays in this interpreter; replace it by plain data before behaviors need it",
                                     reason_why(p).c_str()));
  }
  return -1;
}

PyObject* SubinterpBackend::copy_out(Payload& payload) {
  MovingPayload& p = moving(payload);
  if (p.in_line) return bring(p, false);
  if (p.pinned) return Py_NewRef(p.value);
  if (p.resident_here()) return copy_value(p.value);
  return fresh_copy(p);
}

std::unique_ptr<Posted> SubinterpBackend::post(PyObject* value) {
  EncodedRef encoded(encode(value));
  if (!encoded) {
    raise_not_copied(value);
    return nullptr;
  }
  std::unique_ptr<Posted> made(new (std::nothrow) PostedBytes(std::move(encoded)));
  if (!made) PyErr_NoMemory();
  return made;
}

bool SubinterpBackend::owns(Payload& payload, PyObject* value) noexcept {
  MovingPayload& p = moving(payload);
  if (p.resident_here() && p.value == value) return true;
  std::lock_guard guard(p.lock);
  for (ReaderCopy* copy = p.copies; copy; copy = copy->next) {
    if (copy->value == value && copy->home == &home()) return true;
  }
  return false;
}

void SubinterpBackend::store_error(Payload& result, PyObject* stolen) noexcept {
  // Encoded at once: whoever drops the cown last must be able to report it, in whatever home that is.
  Py_XDECREF(clear_state(moving(result)));
  Encoded* encoded = pack_error(stolen);
  if (!encoded) {
    PyErr_Clear();
    become_resident(moving(result), stolen);
    moving(result).uncarriable = true;
    return;
  }
  become_encoded(moving(result), encoded);
  Py_DECREF(stolen);
}

void SubinterpBackend::name_cancelled(Payload& payload, PyObject* error, Mutex& lock) noexcept {
  MovingPayload& p = moving(payload);
  EncodedRef encoded(encode(error));
  PyErr_Clear();
  {
    std::lock_guard guard(lock);
    if (encoded && p.cancelled.load(relaxed)) {
      become_encoded(p, encoded.release());  // it was None, inline
      p.cancelled.store(false, release);     // partner: the acquire in Failures::look()
    }
  }
  Py_DECREF(error);
}

bool SubinterpBackend::destroy(Payload& payload) noexcept {
  MovingPayload& p = moving(payload);
  if (p.generation != generation) return true;  // the parent process's: its threads may have been at work on all this
  // Relaxed: who brought the last reference here has taken that station's lock since, or holds what it lists (T5).
  if (Station* ending = p.at_end.load(relaxed); ending && ending->dies_later(p)) return false;
  if (!p.in_line && p.home && !p.home->station->may_die(p)) return false;
  if (p.in_window.load(relaxed)) forget_in_window(p);
  if (failures().drop(p)) {
    if (p.elsewhere() && !p.encoded()) {
      p.home->station->report_later(std::exchange(p.value, nullptr), p.origin);
    } else {
      Ref error(value_of(p, true));
      if (!error) error = Ref(take_exception());
      if (error) failures().report(error.get(), p.origin);
    }
  }
  PyObject* pinned = p.pinned ? std::exchange(p.value, nullptr) : nullptr;
  PyObject* mine = clear_state(p);
  delete &p;
  Py_XDECREF(mine);
  drop_on_main(pinned);
  return true;
}

bool SubinterpBackend::drops_silently(const Cown& dead) noexcept {
  const auto& p = static_cast<const MovingPayload&>(dead);
  return p.in_line && !p.native && !p.failed.load(relaxed);
}

}  // namespace boc::py
