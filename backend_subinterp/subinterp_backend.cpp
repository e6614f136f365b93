#include "subinterp_backend.h"

#include "carried_behavior.h"
#include "live_behavior.h"
#include "station.h"
#include "surroundings.h"

namespace boc::py {
namespace {

// Values from this weight on make their behaviors wait for their worker rather than move to an idle one.
constexpr uint32_t HEAVY = 4096;

MovingPayload& payload_of(const Request& request) noexcept {
  return static_cast<MovingPayload&>(*request.cown);
}

CarriedBehavior& carried(PyBehavior& behavior) noexcept {
  return static_cast<CarriedBehavior&>(behavior);
}

LiveBehavior& live(PyBehavior& behavior) noexcept {
  return static_cast<LiveBehavior&>(behavior);
}

std::span<Request> requests_of(const Behavior& behavior) noexcept {
  return const_cast<Behavior&>(behavior).acquired();
}

// Resident in a worker's interpreter: whoever needs it must go there or get it from there, unless it is encoded too.
bool lives_with_worker(const MovingPayload& p) noexcept {
  return !p.in_line && p.value && !p.home->main();
}

}  // namespace

SubinterpBackend::SubinterpBackend() {
  Home& main = home();
  if (!main.station) main.station = new Station(main, nullptr);
  failures().report_elsewhere = report_in_main;
}

Place SubinterpBackend::place(const Behavior& behavior) noexcept {
  Place place;
  uint32_t heaviest = 0;
  for (const Request& r : requests_of(behavior)) {
    MovingPayload& p = payload_of(r);
    if (!lives_with_worker(p)) continue;
    const MovingPayload::Look look = p.look();
    if (look.encoded) continue;
    const int worker = static_cast<int>(p.home->index) - 1;
    if (look.uncarriable) return {worker, true, false};
    if (look.weight <= heaviest) continue;
    heaviest = look.weight;
    place = {worker, false, look.weight >= HEAVY};
  }
  return place;
}

bool SubinterpBackend::enter(Worker& worker, Behavior& behavior) noexcept {
  MovingStats& stats = worker_data(worker)->stats;
  Home* only = nullptr;   // where a value is that cannot be carried
  bool conflict = false;  // such values are in several homes: the behavior runs, and will be told
  // First those that perhaps cannot be carried: if one cannot, the others need not come here.
  for (const bool doubtful : {true, false}) {
    for (const Request& r : requests_of(behavior)) {
      MovingPayload& p = payload_of(r);
      if (r.duplicate() || p.in_line || !p.value || p.home->main()) continue;
      const MovingPayload::Look look = p.look();
      if (p.home == &home()) {
        if (!doubtful) stats.resident_hits.add();
        if (!r.reads() && (look.encoded || p.copies)) forget_copies(p);
        if (look.uncarriable) conflict = true;
        continue;
      }
      if (look.encoded || (look.weight == PICKLED) != doubtful || fetch(p, r.reads(), stats.fetches)) continue;
      conflict = conflict || (only && only != p.home);
      only = p.home;
    }
    if (only && !conflict) {
      stats.sent_home.add();
      return false;
    }
  }
  return true;
}

void SubinterpBackend::sending(Worker& worker, Behavior& behavior) noexcept {
  if (!worker_data(worker)) return;  // its interpreter has ended
  for (const Request& r : requests_of(behavior)) {
    MovingPayload& p = payload_of(r);
    if (r.duplicate() || !p.resident_here() || p.look().encoded) continue;
    if (encode_ahead(p, r.reads())) worker_data(worker)->stats.sent_along.add();
  }
}

bool SubinterpBackend::has_errands(const Worker& worker) const noexcept {
  const WorkerData* data = worker_data(worker);
  return data && data->home->station->has_errands();
}

void SubinterpBackend::run_errands(Worker& worker) noexcept {
  worker_data(worker)->home->station->run_errands();
}

void SubinterpBackend::thread_started(Worker& worker) noexcept {
  home_of_thread = worker_data(worker)->home;
}

void SubinterpBackend::before_wait() noexcept {
  let_output_go();
}

void SubinterpBackend::before_park(Worker& worker) noexcept {
  WorkerData* data = worker_data(worker);
  if (!std::exchange(data->warm, true)) warm_up();
  merge_references(worker);
  let_output_go();
  data->state = PyEval_SaveThread();
  data->home->station->set_open(true);
}

void SubinterpBackend::after_park(Worker& worker) noexcept {
  WorkerData* data = worker_data(worker);
  data->home->station->set_open(false);
  PyEval_RestoreThread(data->state);
}

PyBehavior* SubinterpBackend::make(CallPlan& plan, const Parameters& parameters, PyObject* const* extras,
                                   Py_ssize_t n) {
  // It runs in the interpreter where it is scheduled: nothing of it need be carried.
  if (home().main() && any_pinned(parameters)) return make_live(plan, parameters, extras, n);
  return make_carried(plan, parameters, extras, n);
}

void SubinterpBackend::clear_call(PyBehavior& behavior) noexcept {
  behavior.live ? clear_live(live(behavior)) : clear_carried(carried(behavior));
}

void SubinterpBackend::let_go_call(PyBehavior& behavior) noexcept {
  behavior.live ? let_go_live(live(behavior)) : let_go_carried(carried(behavior));
}

PyObject* SubinterpBackend::invoke(PyBehavior& behavior) noexcept {
  return behavior.live ? call_live(live(behavior)) : call_carried(carried(behavior));
}

namespace {

// What a pinned behavior leaves in a cown of main's must be ready for the workers. What cannot be carried stays.
void settle_in_main(MovingPayload& payload) noexcept {
  if (payload.pinned || !payload.resident_here()) return;
  forget_copies(payload);
  if (encode_resident(payload, payload.value, false)) return;
  // Ctrl-C, which whoever pumps raises. Workers will fetch the value from main.
  if (PyObject* error = take_exception()) Py_XSETREF(context().raised, error);
}

}  // namespace

void SubinterpBackend::leave(PyBehavior& behavior) noexcept {
  if (behavior.lane == Lane::MAIN) {
    for (const Request& r : behavior.acquired()) {
      if (!r.reads()) settle_in_main(payload_of(r));
    }
    settle_in_main(moving(*behavior.result));
    return;
  }
  for (const Request& r : behavior.acquired()) {
    MovingPayload& p = payload_of(r);
    if (!r.reads() && p.resident_here()) p.weight = weigh(p.value);
  }
  let_output_go();
}

int SubinterpBackend::run_main_errands() {
  Station& station = *home().station;
  if (station.has_errands()) station.run_errands();
  return deliver_to_main();
}

void SubinterpBackend::add_stats(Worker& worker, PyObject* dict) {
  const MovingStats& s = worker_data(worker)->stats;
  const std::pair<const char*, const Counter*> all[] = {{"resident_hits", &s.resident_hits},
                                                        {"fetched_by_mail", &s.fetches.mail},
                                                        {"fetched_by_visit", &s.fetches.visits},
                                                        {"fetched_bytes", &s.fetches.bytes},
                                                        {"not_fetched", &s.fetches.failed},
                                                        {"sent_home", &s.sent_home},
                                                        {"sent_along", &s.sent_along}};
  for (const auto& [name, counter] : all) {
    Ref number(PyLong_FromUnsignedLongLong(counter->get()));
    if (!number || PyDict_SetItemString(dict, name, number.get()) < 0) return;
  }
}

}  // namespace boc::py
