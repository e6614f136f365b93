// Behaviors in C++: typed cowns, and bodies that are lambdas.
//
//   boc::Runtime runtime(2);
//   auto a = boc::make_cown<int>(1);
//   auto b = boc::make_cown<int>(2);
//   boc::cown<int> sum = boc::when(a, boc::read(b)) << [](int& x, const int& y) { return x += y; };
//   boc::get(sum);  // 3
//
// A body gets T& for a cown, const T& for read(cown), and std::vector<T*> or std::vector<const T*> for a vector of
// cowns. What it returns (or throws) becomes the value of the cown that `<<` gives.
#pragma once

#include <algorithm>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "boc/native_cown.h"
#include "boc/scheduler.h"

namespace boc {

class Runtime;

struct Cancelled : std::exception {
  const char* what() const noexcept override { return "the behavior was cancelled before it began"; }
};

namespace detail {

struct NativeBehavior : Behavior {
  virtual void run(bool cancelled) noexcept = 0;
  virtual void destroy() noexcept = 0;

 protected:
  ~NativeBehavior() = default;
};

class NativeBackend final : public Backend {
 public:
  explicit NativeBackend(Runtime& runtime) : runtime_(runtime) {}
  void worker_started(Worker& worker) override;
  void worker_stopping(Worker& worker) noexcept override;
  void before_park(Worker&) noexcept override {}
  void after_park(Worker&) noexcept override {}
  void run(Worker&, Behavior& behavior, bool cancelled) noexcept override {
    static_cast<NativeBehavior&>(behavior).run(cancelled);
  }
  void retire(Behavior& behavior) noexcept override { static_cast<NativeBehavior&>(behavior).destroy(); }
  void drop(Cown* cown) noexcept override { drop_payload(static_cast<NativePayload*>(cown)); }
  bool drops_silently(const Cown& dead) noexcept override {
    const auto& payload = static_cast<const NativePayload&>(dead);
    return payload.trivial && !payload.error;
  }
  void breathe(Worker&) noexcept override {}
  size_t fiber_stack() const noexcept override { return size_t{256} << 10; }
  void thread_started(Worker& worker) noexcept override;

 private:
  Runtime& runtime_;
};

}  // namespace detail

// Workers and what C++ programs do with them. The last one made on a thread is its current one, and a behavior's
// current one is that which runs it.
class Runtime {
 public:
  explicit Runtime(unsigned workers) : backend_(*this), scheduler_(backend_), outer_(current_) {
    scheduler_.start(workers);
    current_ = this;
  }
  // Waits for everything scheduled.
  ~Runtime() {
    while (!scheduler_.try_stop()) wait();
    current_ = outer_;
  }
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  static Runtime* current() noexcept { return current_; }
  static Worker* here() noexcept { return here_; }
  Scheduler& scheduler() noexcept { return scheduler_; }
  static void refuse_in_behavior(const char* call) {
    if (here_) {
      throw std::logic_error(std::string(call) +
                             " in a behavior would block its worker: schedule another behavior with boc::when");
    }
  }
  // Until nothing is pending. Not from a behavior.
  void wait() {
    refuse_in_behavior("Runtime::wait()");
    while (!scheduler_.root().wait_for(std::chrono::seconds(60))) {
    }
  }

 private:
  friend class detail::NativeBackend;
  detail::NativeBackend backend_;
  Scheduler scheduler_;
  Runtime* outer_;
  static inline thread_local Runtime* current_ = nullptr;
  static inline thread_local Worker* here_ = nullptr;
};

namespace detail {

inline void NativeBackend::thread_started(Worker& worker) noexcept {
  worker_started(worker);
}
inline void NativeBackend::worker_started(Worker& worker) {
  Runtime::current_ = &runtime_;
  Runtime::here_ = &worker;
}
inline void NativeBackend::worker_stopping(Worker&) noexcept {
  Runtime::current_ = nullptr;
  Runtime::here_ = nullptr;
}

// How each kind of argument becomes requests, and what the body gets for it. A behavior keeps no handles: each cown's
// queue has a reference from before `<<` ends until the behavior has released the cown (C2).
template <class Arg>
struct Traits;

template <class T>
struct Traits<cown<T>> {
  using Kept = Payload<T>*;
  static Kept keep(const cown<T>& c) { return c.payload(); }
  static size_t count(Kept) { return 1; }
  static bool complete(Kept p) { return p != nullptr; }
  static void add(Kept p, Behavior* b, Request*& at, uint32_t flags) { new (at++) Request(p, b, flags); }
  static T& open(Kept p) { return p->value; }
  static const T& open_read(Kept p) { return p->value; }
};

template <class T>
struct Traits<std::vector<cown<T>>> {
  using Kept = std::vector<Payload<T>*>;
  static Kept keep(const std::vector<cown<T>>& v) {
    Kept kept;
    for (const cown<T>& c : v) kept.push_back(c.payload());
    return kept;
  }
  static size_t count(const Kept& v) { return v.size(); }
  static bool complete(const Kept& v) { return std::find(v.begin(), v.end(), nullptr) == v.end(); }
  static void add(const Kept& v, Behavior* b, Request*& at, uint32_t flags) {
    for (Payload<T>* p : v) new (at++) Request(p, b, flags);
  }
  static std::vector<T*> open(const Kept& v) {
    std::vector<T*> out;
    for (Payload<T>* p : v) out.push_back(&p->value);
    return out;
  }
  static std::vector<const T*> open_read(const Kept& v) {
    std::vector<const T*> out;
    for (Payload<T>* p : v) out.push_back(&p->value);
    return out;
  }
};

template <class Arg>
struct Traits<Read<Arg>> {
  using Inner = Traits<std::remove_cvref_t<Arg>>;
  using Kept = typename Inner::Kept;
  static Kept keep(const Read<Arg>& r) { return Inner::keep(r.argument); }
  static size_t count(const Kept& k) { return Inner::count(k); }
  static bool complete(const Kept& k) { return Inner::complete(k); }
  static void add(const Kept& k, Behavior* b, Request*& at, uint32_t) { Inner::add(k, b, at, Request::READ); }
  static decltype(auto) open(const Kept& k) { return Inner::open_read(k); }
};

template <class Body, class... Args>
struct TypedBehavior final : NativeBehavior {
  using Arguments = std::tuple<typename Traits<Args>::Kept...>;
  using R =
      std::invoke_result_t<Body&, decltype(Traits<Args>::open(std::declval<const typename Traits<Args>::Kept&>()))...>;

  struct Captures {
    Body body;
    Arguments arguments;
  };
  union {
    Captures captures;  // destroyed when the behavior has run, while it still holds its cowns
  };
  bool has_captures = true;
  Payload<R>* result;  // kept alive by its queue until this behavior has released it

  TypedBehavior(Body&& b, Arguments&& a, Payload<R>* r) : captures{std::move(b), std::move(a)}, result(r) {}
  ~TypedBehavior() { drop_captures(); }

  static constexpr size_t header() noexcept { return (sizeof(TypedBehavior) + 15) / 16 * 16; }
  static constexpr size_t bytes(size_t requests) noexcept { return header() + (requests + 1) * sizeof(Request); }

  // One block: the behavior, then its requests and the result's. The handles must live until it is scheduled.
  static TypedBehavior* make(Body body, Payload<R>* result, const Args&... handles) {
    static_assert(alignof(TypedBehavior) <= alignof(std::max_align_t), "over-aligned captures");
    static_assert(alignof(Request) <= 16);
    Arguments arguments{Traits<Args>::keep(handles)...};
    const size_t n = std::apply([](auto&... a) { return (size_t{0} + ... + Traits<Args>::count(a)); }, arguments);
    if (!std::apply([](auto&... a) { return (Traits<Args>::complete(a) && ...); }, arguments)) {
      throw std::invalid_argument("boc::when: a cown handle is empty; make the cown with boc::make_cown first");
    }
    void* block = pool_allocate(bytes(n));
    TypedBehavior* self;
    try {
      self = new (block) TypedBehavior(std::move(body), std::move(arguments), result);
    } catch (...) {
      pool_free(block, bytes(n));
      throw;
    }
    self->requests = reinterpret_cast<Request*>(static_cast<char*>(block) + header());
    self->request_count = static_cast<uint32_t>(n);
    Request* at = self->requests;
    std::apply([&](auto&... a) { (Traits<Args>::add(a, self, at, 0), ...); }, self->captures.arguments);
    prepare(*self);
    hold_result(*self, result);
    return self;
  }

  void run(bool cancelled) noexcept override {
    try {
      if (cancelled) throw Cancelled();
      std::apply(
          [&](auto&... a) {
            if constexpr (std::is_void_v<R>) {
              captures.body(Traits<Args>::open(a)...);
            } else {
              result->value = captures.body(Traits<Args>::open(a)...);
            }
          },
          captures.arguments);
    } catch (...) {
      result->error = std::current_exception();
    }
    drop_captures();
  }
  void drop_captures() noexcept {
    if (!has_captures) return;
    has_captures = false;
    captures.~Captures();
  }
  void destroy() noexcept override {
    const size_t size = bytes(request_count);
    this->~TypedBehavior();
    pool_free(this, size);
  }
};

// The turn of an outside thread that wants to look at a cown.
struct Turn final : NativeBehavior, Pooled {
  Waiter turn;
  alignas(Request) unsigned char storage[sizeof(Request)];

  explicit Turn(Cown* cown) {
    lane = Lane::WAITER;
    waiter = &turn;
    requests = new (storage) Request(cown, this, Request::READ);
    request_count = 1;
    prepare(*this);
  }
  void run(bool) noexcept override {}
  void destroy() noexcept override { delete this; }
};

}  // namespace detail

// What when() gives: the arguments, handles that outlive the expression by reference.
template <class... Args>
struct When {
  Runtime& runtime;
  std::tuple<Args...> arguments;

  // Schedules the body and gives its result. Results must be default-constructible, or void.
  template <class Body>
  auto operator<<(Body body) && {
    using B = detail::TypedBehavior<Body, std::remove_cvref_t<Args>...>;
    using R = typename B::R;
    static_assert(!std::is_reference_v<R>, "a behavior returns a value, not a reference");
    auto* payload = new detail::Payload<R>();
    cown<R> result(payload);
    auto* behavior = std::apply([&](auto&... a) { return B::make(std::move(body), payload, a...); }, arguments);
    Scheduler& scheduler = runtime.scheduler();
    Worker* here = Runtime::here();
    if (here && &here->scheduler() != &scheduler) here = nullptr;
    behavior->scope = &scheduler.root();
    Scheduler::count_in(here, *behavior->scope);
    scheduler.schedule(here, *behavior);
    return result;
  }
};

// On a runtime of one's choice, or on the current one. `<<` belongs into the same expression.
template <class... Args>
When<Args...> when_on(Runtime& runtime, Args&&... arguments) {
  return {runtime, {std::forward<Args>(arguments)...}};
}
template <class... Args>
When<Args...> when(Args&&... arguments) {
  return when_on(*Runtime::current(), std::forward<Args>(arguments)...);
}

// Waits until everything scheduled on the cown so far has ended; returns a copy of its value or throws its error.
// Not from a behavior.
template <class T>
T get(const cown<T>& c, Runtime& runtime = *Runtime::current()) {
  Runtime::refuse_in_behavior("boc::get()");
  if (!c) throw std::invalid_argument("boc::get: the cown handle is empty");
  auto* turn = new detail::Turn(c.payload());
  runtime.scheduler().schedule(nullptr, *turn);
  while (!turn->turn.wait_for(std::chrono::seconds(60))) {
  }
  struct Finish {
    Runtime& runtime;
    detail::Turn* turn;
    ~Finish() { runtime.scheduler().finish(nullptr, *turn); }
  } finish{runtime, turn};
  if (c.payload()->error) std::rethrow_exception(c.payload()->error);
  if constexpr (!std::is_void_v<T>) return c.payload()->value;
}

}  // namespace boc
