#include "noticeboard.h"

#include <mutex>
#include <new>

namespace boc::py {
namespace {

Noticeboard* the_board = new Noticeboard;  // never destroyed: threads may still end after static destruction

int no_memory() {
  PyErr_NoMemory();
  return -1;
}

}  // namespace

Noticeboard& noticeboard() noexcept {
  return *the_board;
}

void noticeboard_after_fork() noexcept {
  the_board = new Noticeboard;
}

NoticeMap Noticeboard::look() noexcept {
  std::lock_guard guard(mutex_);
  return map_;
}

NoticeRef<Notice> Noticeboard::find(const NoticeKey& key) noexcept {
  std::lock_guard guard(mutex_);
  return NoticeRef<Notice>::share(map_.find(key));
}

template <class F>
void Noticeboard::change(F&& next) {
  NoticeMap old;  // freed when the lock is gone
  std::lock_guard guard(mutex_);
  NoticeMap made = next(map_);
  old = std::exchange(map_, std::move(made));
}

int Noticeboard::put(const NoticeKey& key, PostedValue&& value) try {
  NoticeRef<Notice> notice;
  auto* made = new Notice(key, std::move(value));
  notice = NoticeRef<Notice>(made);
  change([&](const NoticeMap& map) {
    const Notice* there = map.find(key);
    made->order = there ? there->order : ++keys_written_;
    return map.with(*made);
  });
  return 0;
} catch (const std::bad_alloc&) {
  return no_memory();
}

int Noticeboard::remove(const NoticeKey& key) try {
  change([&](const NoticeMap& map) { return map.without(key); });
  return 0;
} catch (const std::bad_alloc&) {
  return no_memory();
}

int Noticeboard::finish_update(const NoticeKey& key, const Notice* before, PostedValue* value) try {
  NoticeRef<Notice> notice;
  Notice* made = value ? new Notice(key, std::move(*value)) : nullptr;
  notice = NoticeRef<Notice>(made);
  change([&](const NoticeMap& map) {
    const Notice* there = map.find(key);
    if (there != before) return map;
    if (!made) return map.without(key);
    made->order = there ? there->order : ++keys_written_;
    return map.with(*made);
  });
  return 0;
} catch (const std::bad_alloc&) {
  return no_memory();
}

NoticeMap Noticeboard::take_all() noexcept {
  std::lock_guard guard(mutex_);
  return std::exchange(map_, NoticeMap());
}

int Noticeboard::put_back(const NoticeMap& taken) try {
  change([&](const NoticeMap& map) {
    if (map.size() == 0) return taken;
    NoticeMap merged = map;
    taken.each([&](const Notice& notice) {
      if (!map.find(notice.key)) merged = merged.with(notice);
    });
    return merged;
  });
  return 0;
} catch (const std::bad_alloc&) {
  return no_memory();
}

}  // namespace boc::py
