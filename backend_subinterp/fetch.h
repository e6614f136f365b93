// Getting a value that is resident in another home encoded: by asking its thread between two behaviors, or by visiting
// its interpreter.
#pragma once

#include "boc/stats.h"
#include "moving_payload.h"

namespace boc::py {

struct FetchCounters {
  Counter mail;    // served by the home's own thread
  Counter visits;  // done by the asking thread
  Counter failed;  // cannot be encoded
  Counter bytes;
};

// Attached; the caller holds the cown, whose value is resident elsewhere and not encoded. True: it is encoded now. False:
// it cannot be (payload.reason). keep: its home keeps it, for readers.
// Detaches while it waits, so anything else may happen in the caller's home meanwhile.
bool fetch(MovingPayload& payload, bool keep, FetchCounters& counters) noexcept;

}  // namespace boc::py
