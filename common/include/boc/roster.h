// The workers by index, for any thread to look at while start() adds to them.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "boc/worker.h"

namespace boc {

// Invariants
//   K1  A list that was published never changes, and lists and workers stay until clear(): a reader needs no lock, and
//       a reference to a kept worker is good for as long as the scheduler is there, also after the worker has ended or
//       if its start() failed.
class Roster {
 public:
  using List = std::vector<Worker*>;
  using Owned = std::vector<std::unique_ptr<Worker>>;

  Roster() = default;
  Roster(const Roster&) = delete;
  Roster& operator=(const Roster&) = delete;

  // Any thread. Acquire: partner of the release in add().
  const List& list() const noexcept { return *list_.load(acquire); }

  // So that bury() can be noexcept.
  void make_room(size_t more) { owned_.reserve(owned_.size() + more); }
  // Takes all of `more` over, behind those that are listed. Throws with nothing changed.
  void add(Owned& more) {
    auto next = std::make_unique<List>(list());
    next->reserve(next->size() + more.size());
    for (auto& worker : more) next->push_back(worker.get());
    owned_.reserve(owned_.size() + more.size());
    lists_.reserve(lists_.size() + 1);
    for (auto& worker : more) owned_.push_back(std::move(worker));
    more.clear();
    list_.store(next.get(), release);
    lists_.push_back(std::move(next));
  }
  // Takes them over without listing them: somebody may still nudge them. After make_room().
  void bury(Owned& more) noexcept {
    for (auto& worker : more) owned_.push_back(std::move(worker));
    more.clear();
  }
  // Nobody is listed from now on.
  void retire() noexcept { list_.store(&none_, release); }
  // Only while nobody else looks.
  void clear() noexcept {
    retire();
    lists_.clear();
    owned_.clear();
  }

 private:
  const List none_{};
  atomic<const List*> list_{&none_};
  std::vector<std::unique_ptr<const List>> lists_;  // a few: each has more workers than the one before
  Owned owned_;
};

}  // namespace boc
