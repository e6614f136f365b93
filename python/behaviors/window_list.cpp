#include "window_list.h"

#include <mutex>
#include <new>
#include <unordered_set>
#include <utility>

namespace boc::py {
namespace {

struct Table {
  std::mutex mutex;
  std::unordered_set<Payload*> cowns;
};

Table* table = new Table;  // never destroyed: threads may still look after static destruction

}  // namespace

void list_in_window(Payload& payload) noexcept {
  payload.strong_only.store(false, relaxed);  // C4: references are made from this table
  std::lock_guard guard(table->mutex);
  try {
    table->cowns.insert(&payload);
  } catch (const std::bad_alloc&) {
    return;
  }
  payload.in_window.store(true, relaxed);
}

void forget_in_window(Payload& payload) noexcept {
  std::lock_guard guard(table->mutex);
  table->cowns.erase(&payload);
}

std::vector<Payload*> take_listed_in_window() noexcept {
  std::vector<Payload*> taken;
  std::lock_guard guard(table->mutex);
  try {
    taken.reserve(table->cowns.size());
  } catch (const std::bad_alloc&) {
    return taken;  // they stay listed
  }
  for (Payload* payload : table->cowns) {
    payload->in_window.store(false, relaxed);
    if (ref_if_alive(*payload)) taken.push_back(payload);
  }
  table->cowns.clear();
  return taken;
}

void window_list_after_fork() noexcept {
  table = new Table;
}

}  // namespace boc::py
