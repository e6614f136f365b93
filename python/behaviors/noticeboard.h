// The process's noticeboard: named values that behaviors and threads share without holding anything.
#pragma once

#include "notice_map.h"

namespace boc::py {

// Any thread that is attached, in any of the process's interpreters.
// Invariants
//   NB1  A tree and its notices do not change once they are on the board. Who looks gets the tree of that moment, and
//        reads it without a lock for as long as it likes.
//   NB2  The mutex is held for the making of a path in the tree at most: nothing is copied, decoded or freed, and no
//        Python code runs, under it.
//   NB3  Each change is one step: it replaces the whole tree, or nothing (when there is no memory).
class Noticeboard {
 public:
  // All of it, as it is now.
  NoticeMap look() noexcept;
  // The notice of that key as it is now; null if there is none.
  NoticeRef<Notice> find(const NoticeKey& key) noexcept;

  // Each is -1 with MemoryError, or 0. Freeing what was there may run Python code.
  int put(const NoticeKey& key, PostedValue&& value);
  int remove(const NoticeKey& key);
  // The end of an update that began with `before` (null: no notice): puts `value`, or removes the notice if that is
  // null. If others have written or removed it meanwhile, that came after the update, which leaves no trace then.
  int finish_update(const NoticeKey& key, const Notice* before, PostedValue* value);

  // Takes everything off.
  NoticeMap take_all() noexcept;
  // Puts what was taken back, but for keys that have been written since. -1 with MemoryError.
  int put_back(const NoticeMap& taken);

 private:
  // Makes the next tree from the present one: next(map) returns it. Throws std::bad_alloc.
  template <class F>
  void change(F&& next);

  Mutex mutex_;  // guards the rest
  NoticeMap map_;
  uint64_t keys_written_ = 0;
};

Noticeboard& noticeboard() noexcept;
// The child starts with an empty one; the parent's is left alone.
void noticeboard_after_fork() noexcept;

}  // namespace boc::py
