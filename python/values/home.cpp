#include "home.h"

#include <new>
#include <vector>

namespace boc::py {

constinit thread_local Home* home_of_thread = nullptr;

namespace {

struct Homes {
  std::mutex mutex;
  std::vector<Home*> all;
};

Homes& homes() noexcept {
  static auto* made = new Homes;  // never destroyed: threads may still end after static destruction
  return *made;
}

Home* look_up(PyInterpreterState* interpreter) noexcept {
  std::lock_guard guard(homes().mutex);
  for (Home* one : homes().all) {
    if (one->interpreter == interpreter) return one;
  }
  return nullptr;
}

}  // namespace

Home* find_home() noexcept {
  Home* found = look_up(PyInterpreterState_Get());
  home_of_thread = found;
  return found;
}

Home* add_home(PyInterpreterState* interpreter, unsigned index) {
  auto* made = new Home;
  made->interpreter = interpreter;
  made->index = index;
  std::lock_guard guard(homes().mutex);
  homes().all.push_back(made);
  return made;
}

Home* enter_home() {
  PyInterpreterState* interpreter = PyInterpreterState_Get();
  Home* known = look_up(interpreter);
  if (!known && interpreter == PyInterpreterState_Main()) known = add_home(interpreter, 0);
  if (!known) {
    PyErr_SetString(PyExc_ImportError,
                    "bocpy cannot be imported in a sub-interpreter that it did not make itself: import it in the main "
                    "interpreter, and let behaviors do the work");
    return nullptr;
  }
  home_of_thread = known;
  return known;
}

void homes_after_fork() noexcept {
  Homes& list = homes();
  new (&list.mutex) std::mutex;  // its holder may be gone
  std::erase_if(list.all, [](Home* one) { return !one->main(); });
}

}  // namespace boc::py
