// Waiting for a message: whoever waits, and wherever.
#pragma once

#include <memory>
#include <span>

#include "messages.h"

namespace boc::py {

struct Received {
  std::unique_ptr<Message> message;
  unsigned tag = 0;  // its number among those that were asked for
};

// The next message of any of the tags. `timeout` in seconds; 0: only what is there; FOREVER. 1: received, 0: the time is
// over, -1: an error (Ctrl-C; CancelledError; RuntimeError, where nobody may wait), and then no message was taken.
int receive_message(std::span<const Tag> tags, double timeout, Received* received);

}  // namespace boc::py
