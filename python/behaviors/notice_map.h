// Notices by key, in a tree that never changes: a change makes another tree, which shares with this one what is the same.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "boc/sync.h"
#include "posted.h"

namespace boc::py {

// The name of a notice: a short text in UTF-8.
class NoticeKey {
 public:
  static constexpr size_t MOST = 63;  // bytes

  explicit NoticeKey(std::string_view text) noexcept
      : hash_(std::hash<std::string_view>()(text)), size_(static_cast<uint8_t>(text.size())) {
    std::memcpy(text_, text.data(), text.size());
  }

  std::string_view text() const noexcept { return {text_, size_}; }
  bool operator==(const NoticeKey& other) const noexcept { return hash_ == other.hash_ && text() == other.text(); }

  // Which of 32 branches it takes at this depth of the tree: by its hash first, then by its text and where that ends,
  // so that different keys part in the end whatever their hashes are.
  unsigned branch(unsigned depth) const noexcept {
    constexpr unsigned BITS = 5, HASHED = 64 / BITS;
    if (depth < HASHED) return static_cast<unsigned>(hash_ >> (BITS * depth)) & 31;
    const unsigned half = depth - HASHED;
    if (half / 2 >= size_) return 16;
    const auto byte = static_cast<uint8_t>(text_[half / 2]);
    return half % 2 ? byte & 15 : byte >> 4;
  }

 private:
  uint64_t hash_;
  uint8_t size_;
  char text_[MOST];
};

// A part of the tree: a notice or a branch. Reference-counted; the last unref() of a notice may run Python code.
class NoticeTree {
 public:
  NoticeTree(const NoticeTree&) = delete;
  NoticeTree& operator=(const NoticeTree&) = delete;

  void ref() const noexcept { references_.fetch_add(1, relaxed); }
  void unref() const noexcept {
    // Release: whoever frees has seen the reads of all; acquire pairs with it.
    if (references_.fetch_sub(1, acq_rel) == 1) destroy();
  }
  bool leaf() const noexcept { return leaf_; }

 protected:
  explicit NoticeTree(bool leaf) noexcept : leaf_(leaf) {}
  ~NoticeTree() = default;

 private:
  void destroy() const noexcept;

  mutable atomic<uint32_t> references_{1};
  const bool leaf_;
};

struct Notice final : NoticeTree {
  Notice(const NoticeKey& k, PostedValue&& v) noexcept : NoticeTree(true), key(k), value(std::move(v)) {}

  const NoticeKey key;
  const PostedValue value;
  uint64_t order = 0;  // of the keys' first writes; set before others see the notice
};

// A strong reference.
template <class T>
class NoticeRef {
 public:
  NoticeRef() = default;
  explicit NoticeRef(const T* stolen) noexcept : tree_(stolen) {}
  static NoticeRef share(const T* tree) noexcept {
    if (tree) tree->ref();
    return NoticeRef(tree);
  }
  NoticeRef(const NoticeRef& other) noexcept : NoticeRef(share(other.tree_)) {}
  NoticeRef(NoticeRef&& other) noexcept : tree_(std::exchange(other.tree_, nullptr)) {}
  NoticeRef& operator=(NoticeRef other) noexcept {
    std::swap(tree_, other.tree_);
    return *this;
  }
  ~NoticeRef() {
    if (tree_) tree_->unref();
  }

  const T* get() const noexcept { return tree_; }
  const T& operator*() const noexcept { return *tree_; }
  const T* operator->() const noexcept { return tree_; }
  explicit operator bool() const noexcept { return tree_ != nullptr; }

 private:
  const T* tree_ = nullptr;
};

// Copies share the tree and cost one count. Freeing one may run Python code.
class NoticeMap {
 public:
  size_t size() const noexcept { return size_; }
  // Borrowed from the map; null if there is none.
  const Notice* find(const NoticeKey& key) const noexcept;

  // This map with the notice, in the place of one with the same key. Throws std::bad_alloc.
  NoticeMap with(const Notice& notice) const;
  // This map without the notice of that key. Throws std::bad_alloc.
  NoticeMap without(const NoticeKey& key) const;

  // Calls each(notice) for all, in no order.
  template <class F>
  void each(F&& f) const {
    if (root_) visit(*root_, [](const Notice& notice, void* g) { (*static_cast<F*>(g))(notice); }, &f);
  }

 private:
  using Visitor = void (*)(const Notice&, void*);
  static void visit(const NoticeTree& tree, Visitor visitor, void* argument);

  NoticeRef<NoticeTree> root_;
  size_t size_ = 0;
};

}  // namespace boc::py
