#include "notice_update.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <new>
#include <vector>

#include "copy.h"
#include "runtime.h"

namespace boc::py {

// What a thread that updates has put off.
struct NoticeUpdate {
  struct Later {
    NoticeKey key;
    Ref function, fallback;
  };
  std::vector<Later> later;
};

namespace {

struct Turns {
  std::mutex mutex;
  std::condition_variable ended;
  std::vector<const NoticeKey*> taken;

  bool free(const NoticeKey& key) const noexcept {
    return std::none_of(taken.begin(), taken.end(), [&](const NoticeKey* other) { return *other == key; });
  }
};

Turns* the_turns = new Turns;  // never destroyed: threads may still end after static destruction

// The turn for a key (NU1), and what NU2 says of the thread that has it.
class UpdateTurn {
 public:
  UpdateTurn(const NoticeKey& key, NoticeUpdate& update) noexcept : key_(key), update_(update) {}
  UpdateTurn(const UpdateTurn&) = delete;
  UpdateTurn& operator=(const UpdateTurn&) = delete;
  ~UpdateTurn() {
    if (!mine_) return;
    leave();
    context().update = nullptr;
    --context().carrying;
  }

  // Waits for it; the main thread sees signals meanwhile. -1 with an error.
  int take() {
    while (!try_take()) {
      {
        Detached detached;
        std::unique_lock lock(the_turns->mutex);
        the_turns->ended.wait_for(lock, sleep_slice(FOREVER), [&] { return the_turns->free(key_); });
      }
      if (look_around() < 0) return -1;
    }
    mine_ = true;
    context().update = &update_;
    ++context().carrying;
    return 0;
  }

 private:
  // Throws std::bad_alloc.
  bool try_take() {
    std::lock_guard lock(the_turns->mutex);
    if (!the_turns->free(key_)) return false;
    the_turns->taken.push_back(&key_);
    return true;
  }

  void leave() noexcept {
    {
      std::lock_guard lock(the_turns->mutex);
      std::erase(the_turns->taken, &key_);  // in a forked child it is not there any more
    }
    the_turns->ended.notify_all();
  }

  const NoticeKey& key_;
  NoticeUpdate& update_;
  bool mine_ = false;
};

int run_update(NoticeUpdate& update, const NoticeKey& key, PyObject* function, PyObject* fallback) try {
  // Dropped after the turn has ended: destructors may do what they like then.
  NoticeRef<Notice> before;
  Ref old, made;
  NoticeValue value;
  UpdateTurn turn(key, update);
  if (turn.take() < 0) return -1;
  before = noticeboard().find(key);
  old = Ref(before ? before->value.copy() : copy_value(fallback));
  if (!old) return -1;
  made = Ref(PyObject_CallOneArg(function, old.get()));
  if (!made) return -1;
  if (made.get() == home().removed) return noticeboard().finish_update(key, before.get(), nullptr);
  if (!to_notice_value(made.get(), &value)) return -1;
  return noticeboard().finish_update(key, before.get(), &value);
} catch (const std::bad_alloc&) {
  PyErr_NoMemory();
  return -1;
}

int put_off(NoticeUpdate& outer, const NoticeKey& key, PyObject* function, PyObject* fallback) try {
  outer.later.push_back({key, Ref(Py_NewRef(function)), Ref(Py_NewRef(fallback))});
  return 0;
} catch (const std::bad_alloc&) {
  PyErr_NoMemory();
  return -1;
}

}  // namespace

int update_notice(const NoticeKey& key, PyObject* function, PyObject* fallback) {
  if (context().update) return put_off(*context().update, key, function, fallback);
  NoticeUpdate update;
  int done = run_update(update, key, function, fallback);
  // One of these may put off others. The first error is raised, the others are reported.
  for (size_t i = 0; i < update.later.size(); ++i) {
    const NoticeUpdate::Later next = std::move(update.later[i]);
    PyObject* raised = take_exception();
    const int ended = run_update(update, next.key, next.function.get(), next.fallback.get());
    if (!raised) {
      done = ended;
      continue;
    }
    if (ended < 0) PyErr_WriteUnraisable(next.function.get());
    raise_exception(raised);
  }
  return done;
}

void notice_turns_after_fork() noexcept {
  the_turns = new Turns;
}

}  // namespace boc::py
