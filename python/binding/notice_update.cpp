#include "notice_update.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <new>
#include <utility>
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
  std::vector<const NoticeKey*> queue;  // in the order of arrival: the first of those with one key has its turn

  bool first(const NoticeKey& mine) const noexcept {
    auto same = [&](const NoticeKey* other) { return *other == mine; };
    const auto found = std::find_if(queue.begin(), queue.end(), same);
    return found == queue.end() || *found == &mine;  // in a forked child it is not there any more
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
    if (queued_) leave();
    if (!mine_) return;
    update_waits_for_thread = false;
    context().update = nullptr;
    --context().carrying;
  }

  // Waits for it; the main thread sees signals meanwhile. -1 with an error. Throws std::bad_alloc.
  int take() {
    enqueue();
    // After the end the other threads stand still, wherever they are.
    while (!mine() && !runtime().closed()) {
      {
        Detached detached;
        std::unique_lock lock(the_turns->mutex);
        the_turns->ended.wait_for(lock, sleep_slice(FOREVER), [&] { return the_turns->first(key_); });
      }
      UpdateTurn* const outer = std::exchange(waits, this);
      const int looked = look_around();
      waits = outer;
      if (looked < 0) return -1;
    }
    mine_ = update_waits_for_thread = true;
    context().update = &update_;
    ++context().carrying;
    return 0;
  }

 private:
  static thread_local UpdateTurn* waits;  // whose look around runs in this thread

  void enqueue() {
    std::lock_guard lock(the_turns->mutex);
    auto& queue = the_turns->queue;
    // A signal handler's goes before the one that waits for the handler.
    queue.insert(waits ? std::find(queue.begin(), queue.end(), &waits->key_) : queue.end(), &key_);
    queued_ = true;
  }

  bool mine() noexcept {
    std::lock_guard lock(the_turns->mutex);
    return the_turns->first(key_);
  }

  void leave() noexcept {
    {
      std::lock_guard lock(the_turns->mutex);
      std::erase(the_turns->queue, &key_);
    }
    the_turns->ended.notify_all();
  }

  const NoticeKey& key_;
  NoticeUpdate& update_;
  bool queued_ = false;
  bool mine_ = false;
};

thread_local UpdateTurn* UpdateTurn::waits = nullptr;

int run_update(NoticeUpdate& update, const NoticeKey& key, PyObject* function, PyObject* fallback) try {
  // Dropped after the turn has ended: destructors may do what they like then.
  NoticeRef<Notice> before;
  Ref old, made;
  PostedValue value;
  UpdateTurn turn(key, update);
  if (turn.take() < 0) return -1;
  before = noticeboard().find(key);
  old = Ref(before ? before->value.copy() : copy_value(fallback));
  if (!old) return -1;
  made = Ref(PyObject_CallOneArg(function, old.get()));
  if (!made) return -1;
  if (made.get() == home().removed) return noticeboard().finish_update(key, before.get(), nullptr);
  if (!to_posted_value(made.get(), &value)) return -1;
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
  if (update_waits_for_thread) {
    // The function is of another interpreter than those that could be put off.
    PyErr_SetString(PyExc_RuntimeError,
                    "notice_update() while a value is carried for the function of another notice_update() (from its "
                    "__reduce__, say) could wait for that one");
    return -1;
  }
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
