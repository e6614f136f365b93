#include "site.h"

#include <unistd.h>

#include <algorithm>
#include <new>
#include <string>
#include <unordered_set>
#include <vector>

#include "thread_backend.h"

namespace boc::py {

// How many behaviors of one code object are pending, counted in shards so that workers do not share a cache line.
struct Site {
  static constexpr unsigned SHARDS = 8;
  struct alignas(64) Shard {
    atomic<int64_t> count{0};
  };
  Shard shards[SHARDS];
  std::string description;

  int64_t pending() const noexcept {
    int64_t sum = 0;
    for (const Shard& s : shards) sum += s.count.load(relaxed);
    return sum;
  }
};

namespace {

struct Registry {
  Mutex mutex;  // never held while Python code runs
  std::unordered_set<Site*> sites;
  std::vector<Context*> contexts;
  std::unordered_set<Payload*> live;
};

Registry& registry() {
  static auto* all = new Registry;  // never destroyed: threads may still end after static destruction
  return *all;
}

void forget_site(Site* site) noexcept {
  {
    std::lock_guard guard(registry().mutex);
    registry().sites.erase(site);
  }
  delete site;
}

Site* make_site(CodeInfo* info, PyObject* code) noexcept {
  try {
    auto site = std::make_unique<Site>();
    Ref text(describe_site(code));
    const char* utf8 = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
    if (utf8) site->description = utf8;
    PyErr_Clear();
    std::lock_guard guard(registry().mutex);
    if (Site* other = info->site.load(acquire)) return other;
    registry().sites.insert(site.get());
    info->site.store(site.get(), release);  // partner: the acquire in count_site()
    info->free_site = forget_site;
    return site.release();
  } catch (const std::bad_alloc&) {
    return nullptr;  // then it is missing from reports
  }
}

}  // namespace

PyObject* describe_site(PyObject* code) noexcept {
  if (!code) return PyUnicode_FromString("<callable>");
  auto* c = reinterpret_cast<PyCodeObject*>(code);
#if PY_VERSION_HEX >= 0x030B0000
  PyObject* name = c->co_qualname;
#else
  PyObject* name = c->co_name;
#endif
  return PyUnicode_FromFormat("%U (%U:%d)", name, c->co_filename, c->co_firstlineno);
}

void enter_site(CodeInfo* info, PyObject* code) noexcept {
  if (!info->site.load(acquire)) make_site(info, code);
}

void count_site(CodeInfo* info, unsigned shard, int change) noexcept {
  if (Site* site = info->site.load(acquire)) site->shards[shard % Site::SHARDS].count.fetch_add(change, relaxed);
}

void register_context(Context& c) {
  std::lock_guard guard(registry().mutex);
  registry().contexts.push_back(&c);
}

void unregister_context(Context& c) noexcept {
  std::lock_guard guard(registry().mutex);
  std::erase(registry().contexts, &c);
}

PyObject* pending_report() {
  struct Line {
    std::string description;
    int64_t pending;
    int running;
  };
  std::vector<Line> lines;
  {
    std::lock_guard guard(registry().mutex);
    for (Site* site : registry().sites) {
      int running = 0;
      for (Context* c : registry().contexts) {
        CodeInfo* info = c->running.load(relaxed);
        if (info && info->site.load(acquire) == site) ++running;
      }
      int64_t pending = site->pending();
      if (pending > 0) lines.push_back({site->description, pending, running});
    }
  }
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.pending > b.pending; });
  PyObject* list = PyList_New(0);
  for (const Line& line : lines) {
    Ref item(list ? Py_BuildValue("(s#Li)", line.description.data(), static_cast<Py_ssize_t>(line.description.size()),
                                  static_cast<long long>(line.pending), line.running)
                  : nullptr);
    if (!item || PyList_Append(list, item.get()) < 0) {
      Py_XDECREF(list);
      return nullptr;
    }
  }
  return list;
}

void remember_live(Payload& payload) {
  payload.strong_only.store(false, relaxed);  // C4: the caller has a reference
  std::lock_guard guard(registry().mutex);
  registry().live.insert(&payload);
  payload.registered.store(true, release);  // partner: the acquire in drop()
}

void forget_live(Payload& payload) noexcept {
  std::lock_guard guard(registry().mutex);
  registry().live.erase(&payload);
}

Payload* find_live(uintptr_t address) noexcept {
  std::lock_guard guard(registry().mutex);
  auto at = registry().live.find(reinterpret_cast<Payload*>(address));
  if (at == registry().live.end()) return nullptr;
  // Its last reference may just be going: then it is about to be forgotten.
  uint32_t refs = (*at)->refs.load(relaxed);
  while (refs != 0) {
    if ((*at)->refs.compare_exchange_weak(refs, refs + 1, relaxed)) return *at;
  }
  return nullptr;
}

void end_forked_child(PyObject* value) noexcept {
  int code = 0;
  if (!value) {
    PyErr_Print();
    code = 1;
  }
  for (const char* name : {"stdout", "stderr"}) {
    PyObject* stream = PySys_GetObject(name);
    Ref flushed(stream ? PyObject_CallMethod(stream, "flush", nullptr) : nullptr);
    PyErr_Clear();
  }
  _exit(code);
}

void sites_after_fork() {
  Registry& all = registry();
  new (&all.mutex) Mutex;  // its holder may be gone
  all.contexts.clear();
  for (Site* site : all.sites) {
    for (Site::Shard& s : site->shards) s.count.store(0, relaxed);
  }
}

}  // namespace boc::py
