// A payload of the sub-interpreter backend: the value behind a cown in one of three states.
#pragma once

#include "atom.h"
#include "decoder.h"
#include "encoder.h"
#include "payload.h"

namespace boc::py {

struct MovingPayload;
class Station;

// A reader's decoded copy of an encoded value, one for each home that has asked.
struct ReaderCopy {
  Home* home;
  PyObject* value;  // strong, of that home
  ReaderCopy* next;
};

// inline:    in_line; `atom` is the value. No residence, nothing allocated.
// resident:  value is an object of `home`'s interpreter and is listed in the home's station.
// encoded:   `encoded` is the value.
// While readers of several homes are at work it may be resident and encoded at once, and have copies.
//
// Invariants
//   M1  Exactly one of in_line, value, encoded, or value and encoded together, is set; what several of them say is the
//       same value. None of them: it was lost with its interpreter. The holder who writes keeps one of them and drops
//       the others, copies too, before it changes any.
//   M2  The state is changed by the holder alone, as one step under `lock` (but for copies that a writer drops); readers add
//       `encoded` and copies. Python code never runs, and nothing is waited for, under the lock. Others look in two
//       cases: threads of main in the window after wait() (peek()), who are kept out by main's GIL or else by
//       lock_value() and for whom nothing is there while it is `leaving`; and who reports a failure (stored_error()),
//       under `lock`.
//   M3  An object is dropped in its own home only: by its thread, or through the station's drop list.
struct MovingPayload final : Payload, Pooled {
  MovingPayload() noexcept : Payload(nullptr, nullptr, 0) {}

  struct Elsewhere {
    MovingPayload* previous;  // in the station's list of residents
    MovingPayload* next;
    Encoded* encoded;  // a reference, or null
  };
  union {
    Atom atom;
    Elsewhere at;
  };
  ReaderCopy* copies = nullptr;
  std::string* reason = nullptr;  // why it could not be encoded, of the last attempt
  uint32_t weight = 0;            // about how many bytes moving it would take
  SpinLock lock;
  atomic<Station*> at_end{nullptr};  // the station whose end() is encoding it
  bool in_line = true;
  bool uncarriable = false;  // an attempt to encode it has failed; it stays where it is
  bool listed = false;       // in its home's list of residents, and under that one's lock
  bool leaving = false;      // being encoded, to be dropped: not for those who do not hold the cown

  Encoded* encoded() const noexcept { return in_line ? nullptr : at.encoded; }
  // What readers may be changing meanwhile, for who only looks.
  struct Look {
    bool encoded, uncarriable;
    uint32_t weight;
  };
  Look look() noexcept {
    std::lock_guard guard(lock);
    return {encoded() != nullptr, uncarriable, weight};
  }
  bool elsewhere() const noexcept { return value && home != &boc::py::home(); }
};

inline MovingPayload& moving(Payload& payload) noexcept {
  return static_cast<MovingPayload&>(payload);
}

// The changes of state. The caller holds the cown, is attached, and has dropped the old state (replace_state).
void become_inline(MovingPayload& payload, const Atom& atom) noexcept;
void become_resident(MovingPayload& payload, PyObject* stolen) noexcept;  // in the caller's home
void become_encoded(MovingPayload& payload, Encoded* stolen) noexcept;
// Lets go of everything. An object of the caller's home is handed to the caller (null if there is none), others to
// their homes' drop lists.
PyObject* clear_state(MovingPayload& payload) noexcept;
// The same, and then become() as one step.
template <class Become>
PyObject* replace_state(MovingPayload& payload, const Become& become, bool by_inline = false) noexcept {
  EncodedRef encoded;  // dropped at the end: it may hold the last handles of other cowns
  [[maybe_unused]] auto value_guard = payload.lock_value();
  std::unique_lock guard(payload.lock, std::defer_lock);
  if (!payload.in_line || !by_inline) guard.lock();  // small for small: nobody else looks further than in_line
  if (!payload.in_line) encoded = EncodedRef(std::exchange(payload.at.encoded, nullptr));
  PyObject* mine = clear_state(payload);
  become();
  return mine;
}
// The encoded form alone (stolen, or null), while the payload is not in line.
void replace_encoded(MovingPayload& payload, Encoded* stolen) noexcept;
// A writer in the home where it is resident: the encoded form and the readers' copies are out of date from now on.
void forget_copies(MovingPayload& payload) noexcept;
// The weight of what is pickled: never quick, and perhaps impossible.
constexpr uint32_t PICKLED = 1024;
// About how many bytes it takes to move the object; looks at it, but not into it.
uint32_t weigh(PyObject* value) noexcept;

// Attached to the payload's home: encodes its value, which is resident there. keep: it stays resident too (for readers);
// else the object is given up. False: it cannot be encoded, and payload.reason says why; no error is set unless it is one
// that must go on (what a signal's handler raises).
bool encode_resident(MovingPayload& payload, PyObject* value, bool keep) noexcept;
// The same where it is quick and runs no Python code, else nothing happens. True if it was done.
bool encode_ahead(MovingPayload& payload, bool keep) noexcept;
// "of type 'list': TypeError: cannot pickle ...": why the last attempt to encode it failed.
std::string reason_why(MovingPayload& payload);
// Raises TransferError for a value that lives elsewhere and cannot come.
void raise_uncarriable(MovingPayload& payload);

}  // namespace boc::py
