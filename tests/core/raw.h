// Behaviors without a backend: the protocol step by step, on one thread, where the test decides who comes when.
#pragma once

#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "boc/protocol.h"

namespace raw {

using namespace boc;

struct Cell : Cown {
  ~Cell() = default;
};

struct Use {
  Cell* cown;
  bool read = false;
};
inline Use read(Cell& c) {
  return {&c, true};
}
inline Use write(Cell& c) {
  return {&c, false};
}

struct Step : Behavior {
  explicit Step(std::initializer_list<Use> uses, Cell* result = nullptr)
      : memory_((uses.size() + 1) * sizeof(Request)) {
    requests = reinterpret_cast<Request*>(memory_.data());
    Request* at = requests;
    for (const Use& u : uses) new (at++) Request(u.cown, this, u.read ? uint32_t{Request::READ} : 0u);
    request_count = static_cast<uint32_t>(uses.size());
    prepare(*this);
    if (result) hold_result(*this, result);
  }

 private:
  std::vector<std::byte> memory_;  // operator new aligns it well enough
};

// What became ready, in order; asks for nothing that died.
class Run {
 public:
  void schedule(Step& s) {
    Outcome outcome;
    boc::schedule(s, outcome);
    collect(outcome);
  }
  void batch(std::initializer_list<Step*> steps) {
    std::vector<Behavior*> all(steps.begin(), steps.end());
    size_t n = 0;
    for (Behavior* b : all) n += b->request_count;
    std::vector<Request*> chains(n);
    Outcome outcome;
    boc::schedule_batch(all, chains, outcome);
    collect(outcome);
  }
  bool try_schedule(Step& s) {
    Outcome outcome;
    const bool done = boc::try_schedule(s, outcome);
    collect(outcome);
    return done;
  }
  void release(Step& s) {
    Outcome outcome;
    release_requests(s, outcome);
    collect(outcome);
  }
  // Who became ready since the last call.
  std::vector<Behavior*> ready() { return std::exchange(ready_, {}); }
  int dead() const { return dead_; }

 private:
  void collect(Outcome& outcome) {
    while (Behavior* b = outcome.ready.pop()) ready_.push_back(b);
    for (Cown* c = outcome.dead; c; c = c->next_dead) ++dead_;
  }
  std::vector<Behavior*> ready_;
  int dead_ = 0;
};

using Ready = std::vector<Behavior*>;

// Nobody holds it, nobody waits, and the test's own reference is the only one.
inline bool untouched(const Cell& c) {
  return c.idle() && c.refs.load() == 1 && c.next_writer.load() == nullptr;
}

}  // namespace raw
