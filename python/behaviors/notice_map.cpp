#include "notice_map.h"

#include <bit>
#include <new>

namespace boc::py {
namespace {

using Tree = NoticeRef<NoticeTree>;

// Up to 32 parts, as many as there are. A path through the tree is at most 12 branches by hash and 127 by text deep.
class alignas(Tree) Branch final : public NoticeTree {
 public:
  // With empty places for the branches whose bits are set. Throws std::bad_alloc.
  static Branch* make(uint32_t used) {
    const auto count = static_cast<size_t>(std::popcount(used));
    return new (::operator new(sizeof(Branch) + count * sizeof(Tree))) Branch(used);
  }
  static void free(const Branch* branch) noexcept {
    for (size_t i = 0; i < branch->count(); ++i) branch->parts()[i].~Tree();
    branch->~Branch();
    ::operator delete(const_cast<Branch*>(branch));
  }

  size_t count() const noexcept { return static_cast<size_t>(std::popcount(used_)); }
  Tree* parts() const noexcept { return reinterpret_cast<Tree*>(const_cast<Branch*>(this) + 1); }
  bool has(unsigned number) const noexcept { return used_ & bit(number); }
  const NoticeTree* find(unsigned number) const noexcept { return has(number) ? place(number).get() : nullptr; }
  Tree& place(unsigned number) const noexcept { return parts()[std::popcount(used_ & (bit(number) - 1))]; }

  // Copies with another part at that branch; null to leave it out. Throws std::bad_alloc.
  Branch* with(unsigned number, Tree part) const {
    const uint32_t used = part ? used_ | bit(number) : used_ & ~bit(number);
    Branch* made = make(used);
    for (uint32_t left = used & ~bit(number); left; left &= left - 1) {
      const auto other = static_cast<unsigned>(std::countr_zero(left));
      made->place(other) = place(other);
    }
    if (part) made->place(number) = std::move(part);
    return made;
  }

 private:
  explicit Branch(uint32_t used) noexcept : NoticeTree(false), used_(used) {
    for (size_t i = 0; i < count(); ++i) new (parts() + i) Tree;
  }
  ~Branch() = default;

  static uint32_t bit(unsigned number) noexcept { return uint32_t{1} << number; }

  const uint32_t used_;
};
static_assert(sizeof(Branch) % alignof(Tree) == 0);

const Notice& notice_of(const NoticeTree& tree) noexcept {
  return static_cast<const Notice&>(tree);
}

const Branch& branch_of(const NoticeTree& tree) noexcept {
  return static_cast<const Branch&>(tree);
}

Tree inserted(const NoticeTree* at, unsigned depth, const Notice& notice) {
  if (!at) return Tree::share(&notice);
  const unsigned number = notice.key.branch(depth);
  if (!at->leaf()) {
    const Branch& branch = branch_of(*at);
    return Tree(branch.with(number, inserted(branch.find(number), depth + 1, notice)));
  }
  const NoticeKey& there = notice_of(*at).key;
  if (there == notice.key) return Tree::share(&notice);
  const unsigned other = there.branch(depth);
  if (other == number) {
    Tree below = inserted(at, depth + 1, notice);
    Branch* branch = Branch::make(uint32_t{1} << number);
    branch->place(number) = std::move(below);
    return Tree(branch);
  }
  Branch* branch = Branch::make(uint32_t{1} << number | uint32_t{1} << other);
  branch->place(number) = Tree::share(&notice);
  branch->place(other) = Tree::share(at);
  return Tree(branch);
}

// The key is in there. Null if nothing is left; a branch with a single notice becomes that notice.
Tree erased(const NoticeTree& at, unsigned depth, const NoticeKey& key) {
  if (at.leaf()) return Tree();
  const Branch& branch = branch_of(at);
  const unsigned number = key.branch(depth);
  Tree left = erased(*branch.find(number), depth + 1, key);
  if (branch.count() == 1 && (!left || left->leaf())) return left;
  if (!left && branch.count() == 2) {
    const Tree& other = branch.parts()[&branch.place(number) == branch.parts() ? 1 : 0];
    if (other->leaf()) return other;
  }
  return Tree(branch.with(number, std::move(left)));
}

}  // namespace

void NoticeTree::destroy() const noexcept {
  if (leaf_) {
    delete &notice_of(*this);
  } else {
    Branch::free(&branch_of(*this));
  }
}

const Notice* NoticeMap::find(const NoticeKey& key) const noexcept {
  const NoticeTree* at = root_.get();
  for (unsigned depth = 0; at && !at->leaf(); ++depth) at = branch_of(*at).find(key.branch(depth));
  return at && notice_of(*at).key == key ? &notice_of(*at) : nullptr;
}

NoticeMap NoticeMap::with(const Notice& notice) const {
  NoticeMap made;
  made.root_ = inserted(root_.get(), 0, notice);
  made.size_ = size_ + (find(notice.key) ? 0 : 1);
  return made;
}

NoticeMap NoticeMap::without(const NoticeKey& key) const {
  if (!find(key)) return *this;
  NoticeMap made;
  made.root_ = erased(*root_, 0, key);
  made.size_ = size_ - 1;
  return made;
}

void NoticeMap::visit(const NoticeTree& tree, Visitor visitor, void* argument) {
  if (tree.leaf()) return visitor(notice_of(tree), argument);
  const Branch& branch = branch_of(tree);
  for (size_t i = 0; i < branch.count(); ++i) visit(*branch.parts()[i], visitor, argument);
}

}  // namespace boc::py
