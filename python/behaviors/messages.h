// The process's messages: a queue for each tag, shared by all its threads and interpreters.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "message_waiter.h"
#include "posted.h"

namespace boc::py {

// The name of a queue: a text in UTF-8, borrowed.
struct Tag {
  explicit Tag(std::string_view name) noexcept : text(name), hash(std::hash<std::string_view>()(name)) {}

  std::string_view text;
  size_t hash;
};

// What is sent. Destroying one may run Python code, and the caller is attached.
struct Message {
  Message* next = nullptr;
  uint64_t order = 0;  // of all messages of the process
  PostedValue value;
};

struct MessageQueue;

// A waiter's place in the queue of one of its tags. By whoever has the lock of the queue's shard.
struct Registration {
  MessageWaiter* waiter = nullptr;
  MessageQueue* queue = nullptr;  // null: it is in none (any more)
  Registration* previous = nullptr;
  Registration* next = nullptr;
  unsigned tag = 0;
};

struct MessageQueue {
  Message* first = nullptr;
  Message* last = nullptr;
  Registration* first_waiter = nullptr;
  Registration* last_waiter = nullptr;

  bool unused() const noexcept { return !first && !first_waiter; }
  void push(Message& message) noexcept;  // in the order of `order`
  Message* pop() noexcept;
  void enter(Registration& place) noexcept;
  void leave(Registration& place) noexcept;
};

// Any thread that is attached, in any of the process's interpreters.
// Invariants
//   M1  A queue that has messages has no waiter that is waiting: a message goes to the first of these, or into the queue.
//   M2  Messages of one tag are received in the order in which they were sent. Who waits for several tags gets, of the
//       messages that are there at one moment, the one that was sent first.
//   M3  Tags are spread over shards. Each shard's lock is held for a few instructions for each tag: nothing is copied,
//       encoded or freed, nobody is woken, and no Python code runs, under it. Who needs several locks takes them in
//       their order.
//   M4  A queue without messages and waiters is not there: what tags there have been costs nothing.
class Messages {
 public:
  Messages() = default;
  Messages(const Messages&) = delete;
  Messages& operator=(const Messages&) = delete;

  // Takes the message over. Throws std::bad_alloc; then nothing has happened.
  void send(const Tag& tag, std::unique_ptr<Message> message);

  // A message, and the number of its tag. If there is none, and `waiter` is not null, that is registered for each of
  // the tags (`places` has one for each), until withdraw(). Throws std::bad_alloc; then nothing has happened.
  std::unique_ptr<Message> take(std::span<const Tag> tags, unsigned* number, MessageWaiter* waiter,
                                Registration* places);
  // The waiter's own thread, after somebody has claimed it: it is gone from all queues, and may end.
  void withdraw(std::span<const Tag> tags, Registration* places) noexcept;
  // A message that was taken is there again, in its old place; without memory for that it is dropped.
  void put_back(const Tag& tag, std::unique_ptr<Message> message) noexcept;

  // Drops the messages of the tag; of all tags. May run Python code.
  void drain(const Tag& tag);
  void drain_all();

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(const std::string& text) const noexcept { return std::hash<std::string_view>()(text); }
    size_t operator()(const Tag& tag) const noexcept { return tag.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const std::string& a, const std::string& b) const noexcept { return a == b; }
    bool operator()(const Tag& a, const std::string& b) const noexcept { return a.text == b; }
    bool operator()(const std::string& a, const Tag& b) const noexcept { return a == b.text; }
  };
  using Queues = std::unordered_map<std::string, MessageQueue, Hash, Equal>;
  struct alignas(64) Shard {
    Mutex mutex;
    Queues queues;
  };
  class Locks;

  static constexpr unsigned SHARDS = 64;  // as many as a word has bits
  static unsigned shard_of(const Tag& tag) noexcept { return static_cast<unsigned>((tag.hash >> 7) % SHARDS); }

  Shard& shard(const Tag& tag) noexcept { return shards_[shard_of(tag)]; }
  static MessageQueue& make_queue(Shard& shard, const Tag& tag);
  static void forget_if_unused(Shard& shard, Queues::iterator queue) noexcept;
  // M1. Whom it was given to, or null: it is in the queue.
  static MessageWaiter* give(Shard& shard, const Tag& tag, Message& message);
  void leave_all(std::span<const Tag> tags, Registration* places) noexcept;

  atomic<uint64_t> sent_{0};
  Shard shards_[SHARDS];
};

Messages& messages() noexcept;
// The child starts with none; the parent's are left alone.
void messages_after_fork() noexcept;

}  // namespace boc::py
