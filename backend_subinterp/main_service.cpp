#include "main_service.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "compat.h"

namespace boc::py {
namespace {

struct Post {
  int kind;
  std::string data;
};

// Lives on the stack of the thread that asks; everything but kind and data is guarded by the service's mutex.
struct Request {
  int kind;
  std::string data;
  std::string answer{};
  enum State { WAITING, TAKEN, ANSWERED, FAILED } state = WAITING;  // TAKEN: the service thread refers to it
};

struct Service {
  std::mutex mutex;
  std::condition_variable wake;      // the service thread
  std::condition_variable finished;  // who waits for a delivery or an answer
  std::deque<Post> posts;
  std::deque<Request*> requests;
  uint64_t posted = 0, delivered = 0;
  std::thread::id deliverer{};
  bool running = false, stopping = false;
  PyInterpreterState* main = nullptr;
  std::thread thread;
  std::atomic<uint64_t> pending{0};  // posted - delivered
};

// Replaced in a forked child; the old one is left alone, its mutex may be held by a thread that is not there.
std::atomic<Service*> the_service{nullptr};

Service& service() {
  Service* there = the_service.load(std::memory_order_acquire);  // pairs with the exchange that publishes it
  if (there) return *there;
  auto* made = new Service;
  if (the_service.compare_exchange_strong(there, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *there;
}

// How long the service thread leaves posts to main's own calls, which are often about to come.
constexpr std::chrono::milliseconds LINGER{5};
// A main-side call that waits for another thread's delivery looks for signals that often.
constexpr std::chrono::milliseconds LOOK{50};
// bocpy._delivery.<name>, or null with an error.
Ref delivery_function(const char* name) {
  Ref module(PyImport_ImportModule("bocpy._delivery"));
  return Ref(module ? PyObject_GetAttrString(module.get(), name) : nullptr);
}

Ref call_with(const Ref& function, int kind, const std::string& data) {
  if (!function) return Ref();
  return Ref(PyObject_CallFunction(function.get(), "iy#", kind, data.data(), static_cast<Py_ssize_t>(data.size())));
}

// Delivering ----------------------------------------------------------------------------------------------------------

// One post; the caller is the deliverer. False: there was none, or it came after `target`.
bool take_post(Service& s, uint64_t target, Post& post) {
  std::lock_guard guard(s.mutex);
  if (s.posts.empty() || s.delivered >= target) return false;
  post = std::move(s.posts.front());
  s.posts.pop_front();
  return true;
}

void count_delivered(Service& s) {
  std::lock_guard guard(s.mutex);
  ++s.delivered;
  s.pending.fetch_sub(1, std::memory_order_release);  // G3; pairs with the acquire in deliver_pending
  s.finished.notify_all();
}

void stop_delivering(Service& s) {
  std::lock_guard guard(s.mutex);
  s.deliverer = {};
  s.finished.notify_all();
  if (!s.posts.empty()) s.wake.notify_one();
}

bool requests_wait(Service& s) {
  std::lock_guard guard(s.mutex);
  return s.stopping || !s.requests.empty();
}

// The caller is the deliverer, attached. On the service thread (`serving`) no error leaves, and requests come first.
int deliver_until(Service& s, uint64_t target, bool serving) {
  int outcome = 0;
  Ref handle;
  Post post;
  while (outcome == 0 && !(serving && requests_wait(s))) {
    // A Ctrl-C that is due rises between two posts rather than in the middle of the next.
    if (!serving && PyErr_CheckSignals() < 0) {
      outcome = -1;
      break;
    }
    if (!take_post(s, target, post)) break;
    if (!handle) handle = delivery_function("handle");
    if (!call_with(handle, post.kind, post.data)) {
      if (serving || PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_WriteUnraisable(handle.get());
      } else {
        outcome = -1;
      }
    }
    count_delivered(s);
  }
  stop_delivering(s);
  return outcome;
}

enum class Turn { MINE, DONE, OTHERS };

Turn try_to_deliver(Service& s, uint64_t target) {
  std::lock_guard guard(s.mutex);
  const auto self = std::this_thread::get_id();
  if (s.delivered >= target || s.deliverer == self) return Turn::DONE;
  if (s.deliverer != std::thread::id{}) return Turn::OTHERS;
  s.deliverer = self;
  return Turn::MINE;
}

void wait_for_deliverer(Service& s, uint64_t target) {
  Py_BEGIN_ALLOW_THREADS;
  {
    std::unique_lock lock(s.mutex);
    s.finished.wait_for(lock, LOOK, [&] { return s.delivered >= target || s.deliverer == std::thread::id{}; });
  }
  Py_END_ALLOW_THREADS;
}

// The service thread -------------------------------------------------------------------------------------------------

// Attached to main. The answer is the handler's bytes, or the text of what went wrong.
Request::State answer(const Ref& function, const Request& request, std::string& text) {
  Ref bytes = call_with(function, request.kind, request.data);
  if (bytes && PyBytes_Check(bytes.get())) {
    text.assign(PyBytes_AS_STRING(bytes.get()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.get())));
    return Request::ANSWERED;
  }
  text = "the main interpreter could not answer a worker's request; sys.unraisablehook was told why";
  if (!bytes) PyErr_WriteUnraisable(function.get());
  return Request::FAILED;
}

void serve_requests(Service& s) {
  Ref function;
  for (;;) {
    Request* request;
    {
      std::lock_guard guard(s.mutex);
      if (s.requests.empty()) return;
      request = s.requests.front();
      request->state = Request::TAKEN;
      s.requests.pop_front();
    }
    if (!function) function = delivery_function("answer");
    std::string text;
    const Request::State state = answer(function, *request, text);
    std::lock_guard guard(s.mutex);
    request->answer = std::move(text);
    request->state = state;
    s.finished.notify_all();
  }
}

bool posts_wait(const Service& s) {
  return !s.posts.empty() && s.deliverer == std::thread::id{};
}

// Sleeps until there is work; false: the service ends.
bool wait_for_work(Service& s) {
  std::unique_lock lock(s.mutex);
  auto urgent = [&] { return s.stopping || !s.requests.empty(); };
  do {
    s.wake.wait(lock, [&] { return urgent() || posts_wait(s); });
    if (!urgent()) s.wake.wait_for(lock, LINGER, urgent);
  } while (!urgent() && !posts_wait(s));
  return !s.stopping;
}

void serve(Service& s) {
  PyThreadState* state = PyThreadState_New(s.main);
  if (state) {
    while (wait_for_work(s)) {
      PyEval_RestoreThread(state);
      serve_requests(s);
      if (try_to_deliver(s, UINT64_MAX) == Turn::MINE) deliver_until(s, UINT64_MAX, true);
      PyEval_SaveThread();
    }
    PyEval_RestoreThread(state);
    PyThreadState_Clear(state);
    PyThreadState_DeleteCurrent();
  }
  std::lock_guard guard(s.mutex);
  s.stopping = true;
  s.finished.notify_all();
}

void wait_for_answer(Service& s, Request& request) {
  std::unique_lock lock(s.mutex);
  if (s.running && !s.stopping) {
    s.requests.push_back(&request);
    s.wake.notify_one();
    s.finished.wait(
        lock, [&] { return request.state > Request::TAKEN || (request.state == Request::WAITING && s.stopping); });
    if (request.state != Request::WAITING) return;
    std::erase(s.requests, &request);
  }
  request.state = Request::FAILED;
  request.answer = "the program is ending: the main interpreter no longer answers requests of behaviors";
}

}  // namespace

void post_to_main(int kind, std::string data) {
  Service& s = service();
  std::lock_guard guard(s.mutex);
  s.posts.push_back({kind, std::move(data)});
  ++s.posted;
  s.pending.fetch_add(1, std::memory_order_relaxed);  // seen by whoever sees the end of the behavior
  // Only the first needs to wake: the service thread, once awake, goes on until nothing is left.
  if (s.posts.size() == 1 && s.running) s.wake.notify_one();
}

bool ask_main(int kind, std::string data, std::string& answer) {
  Request request{kind, std::move(data)};
  wait_for_answer(service(), request);
  answer = std::move(request.answer);
  return request.state == Request::ANSWERED;
}

bool deliveries_pending() noexcept {
  Service* s = the_service.load(std::memory_order_relaxed);
  return s && s->pending.load(std::memory_order_relaxed) != 0;
}

int deliver_pending() {
  Service& s = service();
  if (s.pending.load(std::memory_order_acquire) == 0) return 0;  // pairs with count_delivered
  uint64_t target;
  {
    std::lock_guard guard(s.mutex);
    // A worker's own interpreter has nothing to deliver with.
    if (s.main && PyInterpreterState_Get() != s.main) return 0;
    target = s.posted;
  }
  for (;;) {
    switch (try_to_deliver(s, target)) {
      case Turn::DONE:
        return 0;
      case Turn::MINE:
        return deliver_until(s, target, false);
      case Turn::OTHERS:
        wait_for_deliverer(s, target);
        if (PyErr_CheckSignals() < 0) return -1;
    }
  }
}

void start_service(PyInterpreterState* main) {
  Service& s = service();
  std::lock_guard guard(s.mutex);
  if (s.running) return;
  s.main = main;
  s.stopping = false;
  s.thread = std::thread([&s] { serve(s); });
  s.running = true;
}

void stop_service() noexcept {
  Service& s = service();
  std::thread thread;
  {
    std::lock_guard guard(s.mutex);
    if (!s.running) return;
    s.stopping = true;
    s.running = false;
    thread = std::move(s.thread);
    s.wake.notify_all();
    s.finished.notify_all();
  }
  Py_BEGIN_ALLOW_THREADS;
  thread.join();
  Py_END_ALLOW_THREADS;
}

void service_after_fork() noexcept {
  the_service.store(new (std::nothrow) Service, std::memory_order_release);
  forget_held_output();
}

}  // namespace boc::py
