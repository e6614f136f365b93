#include "site.h"

#include <unistd.h>

#include <algorithm>
#include <new>
#include <string>
#include <unordered_set>
#include <vector>

namespace boc::py {

// How many behaviors of one place are pending, counted in shards so that workers do not share a cache line.
struct Site {
  static constexpr unsigned SHARDS = 8;
  struct alignas(64) Shard {
    atomic<int64_t> count{0};
  };
  Shard shards[SHARDS];
  std::string description;
  atomic<uint32_t> refs{1};

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

// Null without an error if there is no memory.
PyObject* describe_code(PyObject* code) noexcept {
  auto* c = reinterpret_cast<PyCodeObject*>(code);
#if PY_VERSION_HEX >= 0x030B0000
  PyObject* name = c->co_qualname;
#else
  PyObject* name = c->co_name;
#endif
  return PyUnicode_FromFormat("%U (%U:%d)", name, c->co_filename, c->co_firstlineno);
}

Site* make_site(CodeInfo* info, PyObject* code) noexcept {
  try {
    auto site = std::make_unique<Site>();
    Ref text(describe_code(code));
    const char* utf8 = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
    if (utf8) site->description = utf8;
    PyErr_Clear();
    std::lock_guard guard(registry().mutex);
    if (Site* other = info->site.load(acquire)) return other;
    registry().sites.insert(site.get());
    info->site.store(site.get(), release);  // partner: the acquire in site_of()
    info->free_site = let_go_site;
    return site.release();
  } catch (const std::bad_alloc&) {
    return nullptr;  // then it is missing from reports
  }
}

}  // namespace

Site* site_of(CodeInfo* info, PyObject* code) noexcept {
  if (!info) return nullptr;
  Site* site = info->site.load(acquire);
  return site ? site : make_site(info, code);
}

void keep_site(Site* site) noexcept {
  if (site) site->refs.fetch_add(1, relaxed);
}

void let_go_site(Site* site) noexcept {
  if (!site || site->refs.fetch_sub(1, acq_rel) != 1) return;
  {
    std::lock_guard guard(registry().mutex);
    registry().sites.erase(site);
  }
  delete site;
}

const char* describe_site(const Site* site) noexcept {
  return site ? site->description.c_str() : "<callable>";
}

void count_site(Site* site, unsigned shard, int change) noexcept {
  if (site) site->shards[shard % Site::SHARDS].count.fetch_add(change, relaxed);
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
    int waiting;
  };
  std::vector<Line> lines;
  {
    std::lock_guard guard(registry().mutex);
    for (Site* site : registry().sites) {
      int running = 0;
      int waiting = 0;
      for (Context* c : registry().contexts) {
        if (c->running.load(relaxed) == site) ++(c->waiting.load(relaxed) ? waiting : running);
      }
      const int64_t pending = site->pending();
      // One function has a code object, and so a place, in each interpreter.
      auto twin = std::find_if(lines.begin(), lines.end(),
                               [&](const Line& line) { return line.description == site->description; });
      if (twin == lines.end()) {
        lines.push_back({site->description, pending, running, waiting});
      } else {
        twin->pending += pending;
        twin->running += running;
        twin->waiting += waiting;
      }
    }
  }
  std::erase_if(lines, [](const Line& line) { return line.pending <= 0; });
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.pending > b.pending; });
  PyObject* list = PyList_New(0);
  for (const Line& line : lines) {
    Ref item(list ? Py_BuildValue("(s#Lii)", line.description.data(), static_cast<Py_ssize_t>(line.description.size()),
                                  static_cast<long long>(line.pending), line.running, line.waiting)
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
  return ref_if_alive(**at) ? *at : nullptr;
}

namespace {

// The exit code that the exception that is set (it goes) stands for; what the interpreter would print is printed. Not by
// PyErr_Print(), which for SystemExit would end the interpreter on a thread that is not its main one.
int exit_code() noexcept {
  if (!PyErr_ExceptionMatches(PyExc_SystemExit)) {
    PyErr_Print();
    return 1;
  }
  Ref raised(take_exception());
  Ref code(PyObject_GetAttrString(raised.get(), "code"));
  PyErr_Clear();
  if (!code || code.get() == Py_None) return 0;
  if (PyLong_Check(code.get())) {
    const long number = PyLong_AsLong(code.get());
    PyErr_Clear();
    return static_cast<int>(number);
  }
  PyObject* stream = PySys_GetObject("stderr");
  if (stream && PyFile_WriteObject(code.get(), stream, Py_PRINT_RAW) == 0) PyFile_WriteString("\n", stream);
  PyErr_Clear();
  return 1;
}

}  // namespace

void end_forked_child(PyObject* value) noexcept {
  const int code = value ? 0 : exit_code();
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
