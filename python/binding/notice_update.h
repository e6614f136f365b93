// notice_update: reading, changing and writing a notice as one step.
#pragma once

#include "noticeboard.h"

namespace boc::py {

// Calls function(value), or function(fallback) if there is no notice, and puts what it returns; REMOVED takes the notice
// off. In an update function it begins when that update has ended. 0, or -1 with an error, and the notice is as it was.
// Invariants
//   NU1  One thread at a time runs a function for a key, with the turn for that key; a thread has one turn at most, so
//        nobody waits for somebody who waits. Nothing else of the noticeboard waits for turns.
//   NU2  From the turn's begin to its end whatever runs in the thread (the function, destructors, what copying calls)
//        cannot wait for behaviors or cowns, and updates are put off until the turn has ended. What carries a value for it
//        in another interpreter, on this thread or on that one's, may not update at all (update_waits_for_thread).
int update_notice(const NoticeKey& key, PyObject* function, PyObject* fallback);

// The turns of the parent's threads are not here.
void notice_turns_after_fork() noexcept;

}  // namespace boc::py
