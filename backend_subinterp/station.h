// What the sub-interpreter backend keeps for each home: what is to be dropped there, who asks for values that are
// there, which values are there, and the functions made from recipes.
#pragma once

#include <condition_variable>
#include <string>
#include <unordered_map>
#include <vector>

#include "moving_payload.h"

namespace boc {
class Worker;
}

namespace boc::py {

class Recipe;
struct CodeInfo;

// One request for a value that is resident in another home. Lies on the stack of the one who asks.
struct Fetch {
  MovingPayload* payload;
  bool keep;
  bool for_update;  // update_waits_for_thread of the asking thread
  Parker parker;    // permitted when it is done
};

// A function made from a recipe, for the home's own use.
struct Template {
  PyObject* function = nullptr;  // strong
  PyObject* keywords = nullptr;  // strong or null: names of the keyword-only parameters, a tuple
};

// Invariants
//   T1  Objects are dropped, values encoded and templates used only by threads that are attached to the home.
//   T2  A Fetch is in `mail` until somebody takes it out, under the mutex: who serves it, and then permits the parker,
//       or the asking thread, who withdraws it.
//   T3  The mutexes are held for a few instructions, never while Python code runs or while anybody waits.
//   T4  open is set while the home's thread has detached and does nothing but sleep or wait for another home: a visitor
//       gets the interpreter at once then.
//   T5  The interpreter is there for as long as visitors are. When no more are admitted and all have left, its own thread
//       encodes what is resident, which it does not hold: a holder may replace the value meanwhile (the object belongs to
//       who takes it, take_resident), and a last reference may go, before or after that (may_die, dies_later).
class Station {
 public:
  explicit Station(Home& home, Worker* worker) noexcept : home_(home), worker_(worker) {}
  Station(const Station&) = delete;
  Station& operator=(const Station&) = delete;

  Home& home() const noexcept { return home_; }
  Worker* worker() const noexcept { return worker_; }

  // --- From any thread ---

  // The object (stolen) is dropped by its own thread, between behaviors; if it sleeps, it wakes up for that.
  void drop_later(PyObject* value) noexcept;
  // The same, for a failure that nobody has looked at: it is reported first.
  void report_later(PyObject* error, Site* origin) noexcept;
  // A recipe is gone: so should be what was made from it.
  void forget_recipe(uint64_t id) noexcept;
  // Detached. False: the home has ended.
  bool post(Fetch& fetch) noexcept;
  // False: somebody is serving it, wait for the parker.
  bool withdraw(Fetch& fetch) noexcept;
  // Detached. A visitor may come in, and is to leave(). False: the home is about to end (T5).
  bool admit() noexcept;
  void leave() noexcept;

  bool has_errands() const noexcept { return errands_.load(acquire); }  // partner: the release in the posting functions
  bool open() const noexcept { return open_.load(acquire); }
  void set_open(bool open) noexcept { open_.store(open, release); }
  bool ended() const noexcept { return ended_.load(acquire); }

  // --- Attached to the home ---

  void run_errands() noexcept;
  // The function of a recipe; borrowed. Null with an error.
  const Template* find_template(Recipe& recipe);
  // What is scheduled here may also run here: the recipe's function is then this one (borrowed).
  void adopt_template(Recipe& recipe, PyObject* function);
  void list_resident(MovingPayload& payload) noexcept;
  // From any thread. The object of a resident payload, which is not resident any more then. Null if it is not resident, or
  // if its object is another one than `expected`.
  PyObject* take_resident(MovingPayload& payload, const PyObject* expected) noexcept;
  // From any thread. A payload without references dies: it is not listed any more. False: it is just being encoded by
  // end(), which lets it die afterwards.
  bool may_die(MovingPayload& payload) noexcept;
  // From any thread. True: a payload without references, wherever its value is by now, is just being encoded by end(), which
  // lets it die afterwards.
  bool dies_later(MovingPayload& payload) noexcept;
  // No visitor comes any more, and those who are here have left. Detaches meanwhile.
  void close_to_visitors() noexcept;
  // The interpreter ends: residents are encoded, or lost where that is impossible; all else is dropped.
  void end() noexcept;

  // Code objects of this home that have kept recipes (kept_recipes.h), guarded by it.
  std::vector<CodeInfo*> with_recipes;

 private:
  struct Dropped {
    PyObject* value;
    Site* origin;
    bool report;
  };

  void announce() noexcept;
  void unlist(MovingPayload& payload) noexcept;    // under residents_lock_
  bool postpone(MovingPayload& payload) noexcept;  // the same; what dies_later() says
  void encode_residents() noexcept;
  void serve_mail() noexcept;
  void drop_listed() noexcept;
  void drop_templates(const std::vector<uint64_t>& ids) noexcept;

  Home& home_;
  Worker* const worker_;  // null for the main interpreter's
  atomic<bool> errands_{false};
  atomic<bool> open_{false};
  atomic<bool> ended_{false};
  std::mutex mutex_;  // guards the next six
  bool closed_to_visitors_ = false;
  unsigned visitors_ = 0;
  std::condition_variable visitors_left_;
  std::vector<Fetch*> mail_;
  std::vector<Dropped> dropped_;
  std::vector<uint64_t> forgotten_;

  SpinLock residents_lock_;  // guards the next three, and `listed` and `value` of what is listed
  MovingPayload* residents_ = nullptr;
  MovingPayload* encoding_ = nullptr;  // what end() is at
  bool encoding_dies_ = false;         // its last reference went meanwhile

  std::unordered_map<uint64_t, Template> templates_;
  uint64_t last_id_ = 0;  // the template used last
  const Template* last_ = nullptr;
};

}  // namespace boc::py
