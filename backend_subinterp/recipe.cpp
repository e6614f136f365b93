#include "recipe.h"

#include <algorithm>
#include <functional>
#include <new>
#include <string_view>
#include <unordered_map>

#include "site.h"
#include "station.h"

namespace boc::py {
namespace {

atomic<uint64_t> recipes_made{0};

struct Table {
  std::mutex mutex;
  std::unordered_multimap<size_t, Recipe*> all;  // by their bytes' hash; not counted as references
};

Table& table() noexcept {
  static auto* made = new Table;  // never destroyed: threads may still end after static destruction
  return *made;
}

size_t hash_of(const Encoded& bytes) noexcept {
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes.bytes()), bytes.size()});
}

}  // namespace

Recipe::Recipe(EncodedRef bytes, Site* site, bool mutable_data, bool stores_globals) noexcept
    : id_(recipes_made.fetch_add(1, relaxed) + 1),
      bytes_(std::move(bytes)),
      site_(site),
      mutable_data_(mutable_data),
      stores_globals_(stores_globals) {
  keep_site(site);
}

Recipe* Recipe::find_or_make(EncodedRef bytes, Site* site, bool mutable_data, bool stores_globals) {
  const size_t hash = hash_of(*bytes);
  std::lock_guard guard(table().mutex);
  auto [at, end] = table().all.equal_range(hash);
  for (; at != end; ++at) {
    Recipe& known = *at->second;
    if (known.stores_globals_ != stores_globals || known.mutable_data_ != mutable_data) continue;
    if (known.bytes_->same_bytes(*bytes) && known.ref_if_alive()) return &known;
  }
  auto* made = new Recipe(std::move(bytes), site, mutable_data, stores_globals);
  table().all.emplace(hash, made);
  return made;
}

bool Recipe::ref_if_alive() noexcept {
  uint32_t refs = refs_.load(relaxed);
  while (refs != 0) {
    if (refs_.compare_exchange_weak(refs, refs + 1, relaxed)) return true;
  }
  return false;
}

void recipes_after_fork() noexcept {
  new (&table()) Table;
}

Recipe::~Recipe() {
  {
    std::lock_guard guard(table().mutex);
    auto [at, end] = table().all.equal_range(hash_of(*bytes_));
    while (at != end && at->second != this) ++at;
    if (at != end) table().all.erase(at);
  }
  for (Home* home : homes_) home->station->forget_recipe(id_);
  let_go_site(site_);
}

void Recipe::unref() noexcept {
  if (refs_.fetch_sub(1, acq_rel) == 1) delete this;  // each sees what the others did before
}

void Recipe::made_in(Home& home) {
  std::lock_guard guard(lock_);
  if (std::find(homes_.begin(), homes_.end(), &home) != homes_.end()) return;
  try {
    homes_.push_back(&home);
  } catch (const std::bad_alloc&) {
  }  // then the template stays
}

}  // namespace boc::py
