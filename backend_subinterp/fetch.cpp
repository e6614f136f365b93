#include "fetch.h"

#include <chrono>

#include "context.h"
#include "py_backend.h"
#include "station.h"
#include "thread_state.h"

namespace boc::py {
namespace {

// How long a busy home may take to come to the end of its behavior before it is visited in the middle of it. A visit to
// a busy interpreter waits for its switch interval, which is 100 us in workers.
constexpr auto PATIENCE = std::chrono::microseconds(200);
// How long it is waited for awake: who has just ended a behavior looks at its mail at once.
constexpr auto LINGER = std::chrono::microseconds(20);

// Attached to the home's interpreter, with a context of its own: what runs there (a __reduce__ of the user's, destructors)
// belongs to no behavior.
void encode_there(Fetch& request, Home& there, PyThreadState* state) noexcept {
  Context& mine = context();
  {
    InHome in_home(there);
    Context visiting;
    context_of_thread = &visiting;
    Carrying carrying;  // to the last destructor: somebody waits for the worker that visits, perhaps with cowns
    // Its thread may have served it, or moved it, while this one waited for the GIL.
    MovingPayload& payload = *request.payload;
    if (payload.value && !payload.at.encoded) encode_resident(payload, payload.value, request.keep);
    PyErr_Clear();
    backend().drop_dead(visiting);
    PyThreadState_Clear(state);  // may run destructors too
    mine.adopt_dead(visiting);
  }
  context_of_thread = &mine;
}

// Detached.
void visit(Fetch& request) noexcept {
  Home& there = *request.payload->home;
  if (!there.station->admit()) return;
  if (PyThreadState* state = new_thread_state(there.interpreter)) {
    PyEval_AcquireThread(state);
    encode_there(request, there, state);
    PyThreadState_DeleteCurrent();
  }
  there.station->leave();
}

// Detached. Asks by mail; true: somebody has done it or tried.
bool ask(Station& there, Fetch& request) noexcept {
  if (!there.post(request)) return false;
  request.parker.linger(LINGER);
  if (request.parker.park_for(PATIENCE)) return true;
  if (there.withdraw(request)) return false;
  request.parker.park();  // T2: it is being served
  return true;
}

}  // namespace

bool fetch(MovingPayload& payload, bool keep, FetchCounters& counters) noexcept {
  Station& there = *payload.home->station;
  if (there.ended() || payload.pinned) return false;
  Station* mine = home().station;
  // The one who is asked may ask for something of ours in turn: serve that first, and then be open to visits.
  if (mine->has_errands()) mine->run_errands();
  Fetch request{&payload, keep, update_waits_for_thread, {}};
  const bool worker = context().worker != nullptr;
  if (worker) mine->set_open(true);
  PyThreadState* state = PyEval_SaveThread();
  if (!there.open() && there.worker() && ask(there, request)) {
    counters.mail.add();
  } else {
    visit(request);
    counters.visits.add();
  }
  PyEval_RestoreThread(state);
  if (worker) mine->set_open(false);
  const MovingPayload::Look found = payload.look();  // of readers there may be others, who change the state just now
  if (!found.encoded) {
    counters.failed.add();
    std::lock_guard guard(payload.lock);
    if (payload.value && !payload.encoded()) payload.uncarriable = true;  // whatever hindered it: behaviors go there
    return false;
  }
  counters.bytes.add(found.weight);
  return true;
}

}  // namespace boc::py
