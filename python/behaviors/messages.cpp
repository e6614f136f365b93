#include "messages.h"

#include <iterator>
#include <mutex>
#include <new>
#include <utility>

namespace boc::py {
namespace {

Messages* the_messages = new Messages;  // never destroyed: threads may still end after static destruction

void drop_list(Message* first) {
  while (first) delete std::exchange(first, first->next);
}

}  // namespace

Messages& messages() noexcept {
  return *the_messages;
}

void messages_after_fork() noexcept {
  the_messages = new Messages;
}

void MessageQueue::push(Message& message) noexcept {
  Message** at = last && last->order < message.order ? &last->next : &first;
  while (*at && (*at)->order < message.order) at = &(*at)->next;
  message.next = std::exchange(*at, &message);
  if (!message.next) last = &message;
}

Message* MessageQueue::pop() noexcept {
  Message* message = std::exchange(first, first->next);
  if (!first) last = nullptr;
  message->next = nullptr;
  return message;
}

void MessageQueue::enter(Registration& place) noexcept {
  place.queue = this;
  place.previous = std::exchange(last_waiter, &place);
  place.next = nullptr;
  (place.previous ? place.previous->next : first_waiter) = &place;
}

void MessageQueue::leave(Registration& place) noexcept {
  place.queue = nullptr;
  (place.previous ? place.previous->next : first_waiter) = place.next;
  (place.next ? place.next->previous : last_waiter) = place.previous;
}

// The locks of all the shards of some tags.
class Messages::Locks {
 public:
  Locks(Messages& all, std::span<const Tag> tags) noexcept : all_(all) {
    for (const Tag& tag : tags) wanted_ |= uint64_t{1} << shard_of(tag);
    for (unsigned i = 0; i < SHARDS; ++i) {
      if (wanted_ >> i & 1) all_.shards_[i].mutex.lock();
    }
  }
  ~Locks() {
    for (unsigned i = SHARDS; i-- > 0;) {
      if (wanted_ >> i & 1) all_.shards_[i].mutex.unlock();
    }
  }
  Locks(const Locks&) = delete;
  Locks& operator=(const Locks&) = delete;

 private:
  Messages& all_;
  uint64_t wanted_ = 0;
};

MessageQueue& Messages::make_queue(Shard& shard, const Tag& tag) {
  const auto found = shard.queues.find(tag);
  return found != shard.queues.end() ? found->second : shard.queues[std::string(tag.text)];
}

void Messages::forget_if_unused(Shard& shard, Queues::iterator queue) noexcept {
  if (queue->second.unused()) shard.queues.erase(queue);
}

MessageWaiter* Messages::give(Shard& shard, const Tag& tag, Message& message) {
  const auto found = shard.queues.find(tag);
  if (found == shard.queues.end()) {
    shard.queues[std::string(tag.text)].push(message);
    return nullptr;
  }
  MessageQueue& queue = found->second;
  while (Registration* place = queue.first_waiter) {
    MessageWaiter* waiter = place->waiter;
    const unsigned number = place->tag;
    queue.leave(*place);  // who is claimed already leaves in any case
    if (!waiter->claim()) continue;
    waiter->given = &message;
    waiter->tag = number;
    forget_if_unused(shard, found);
    return waiter;
  }
  queue.push(message);
  return nullptr;
}

void Messages::send(const Tag& tag, std::unique_ptr<Message> message) {
  Shard& there = shard(tag);
  MessageWaiter* waiter;
  {
    std::lock_guard guard(there.mutex);
    message->order = sent_.fetch_add(1, relaxed) + 1;  // under the lock: M2
    waiter = give(there, tag, *message);
    (void)message.release();
  }
  if (waiter) waiter->end();
}

void Messages::put_back(const Tag& tag, std::unique_ptr<Message> message) noexcept {
  Shard& there = shard(tag);
  MessageWaiter* waiter = nullptr;
  try {
    std::lock_guard guard(there.mutex);
    waiter = give(there, tag, *message);
    (void)message.release();
  } catch (const std::bad_alloc&) {
    return;
  }
  if (waiter) waiter->end();
}

std::unique_ptr<Message> Messages::take(std::span<const Tag> tags, unsigned* number, MessageWaiter* waiter,
                                        Registration* places) {
  const Locks locks(*this, tags);
  const Tag* best = nullptr;
  Queues::iterator best_queue;
  for (const Tag& tag : tags) {
    Shard& there = shard(tag);
    const auto found = there.queues.find(tag);
    if (found == there.queues.end() || !found->second.first) continue;
    if (best && best_queue->second.first->order <= found->second.first->order) continue;
    best = &tag;
    best_queue = found;
  }
  if (best) {
    std::unique_ptr<Message> message(best_queue->second.pop());
    forget_if_unused(shard(*best), best_queue);
    *number = static_cast<unsigned>(best - tags.data());
    return message;
  }
  if (!waiter) return nullptr;
  try {
    for (unsigned i = 0; i < tags.size(); ++i) {
      places[i].waiter = waiter;
      places[i].tag = i;
      make_queue(shard(tags[i]), tags[i]).enter(places[i]);
    }
  } catch (const std::bad_alloc&) {
    leave_all(tags, places);
    throw;
  }
  return nullptr;
}

void Messages::leave_all(std::span<const Tag> tags, Registration* places) noexcept {
  for (size_t i = 0; i < tags.size(); ++i) {
    if (!places[i].queue) continue;
    places[i].queue->leave(places[i]);
    Shard& there = shard(tags[i]);
    forget_if_unused(there, there.queues.find(tags[i]));
  }
}

void Messages::withdraw(std::span<const Tag> tags, Registration* places) noexcept {
  const Locks locks(*this, tags);
  leave_all(tags, places);
}

void Messages::drain(const Tag& tag) {
  Shard& there = shard(tag);
  Message* dropped = nullptr;
  {
    std::lock_guard guard(there.mutex);
    const auto found = there.queues.find(tag);
    if (found == there.queues.end()) return;
    dropped = std::exchange(found->second.first, nullptr);
    found->second.last = nullptr;
    forget_if_unused(there, found);
  }
  drop_list(dropped);
}

void Messages::drain_all() {
  for (Shard& there : shards_) {
    Message* dropped = nullptr;
    {
      std::lock_guard guard(there.mutex);
      for (auto at = there.queues.begin(); at != there.queues.end();) {
        MessageQueue& queue = at->second;
        if (queue.first) queue.last->next = std::exchange(dropped, queue.first);
        queue.first = queue.last = nullptr;
        at = queue.unused() ? there.queues.erase(at) : std::next(at);
      }
    }
    drop_list(dropped);
  }
}

}  // namespace boc::py
