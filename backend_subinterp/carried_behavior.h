// A behavior that any worker's interpreter can run: a recipe instead of a function, encoded captures, and its cowns in
// the order of the parameters.
#pragma once

#include "capture.h"
#include "parameters.h"
#include "recipe.h"

namespace boc::py {

// One block: this, the cowns of each parameter, their counts, the requests, the result's request.
// Invariants
//   D1  Nothing in it is an object of an interpreter, so any thread may clear it.
//   D2  cowns[] are references until a handle takes them over in call_carried(), or clear_carried() gives them back:
//       members of a batch are in no queue yet that would keep their cowns.
struct CarriedBehavior : PyBehavior {
  Recipe* recipe = nullptr;     // a reference, counted as pending; null: the callable is the first capture
  Encoded* captures = nullptr;  // a reference, or null: a tuple of the arguments' captures and the cells' contents
  uint32_t parameters = 0;      // of the cowns
  uint32_t cown_count = 0;
  uint32_t bound = 0;       // 1: the first capture (behind a callable) is the object of a bound method
  uint32_t positional = 0;  // explicit captures and positional defaults
  uint32_t keywords = 0;    // keyword-only defaults
  uint32_t cells = 0;
  uint64_t empty_cells = 0;  // bit i: cell i has no content

  Payload** cowns() noexcept { return reinterpret_cast<Payload**>(this + 1); }
  int32_t* counts() noexcept { return reinterpret_cast<int32_t*>(cowns() + cown_capacity); }
  uint32_t cown_capacity = 0;
};

// Of a parameter that is one cown and no group.
constexpr int32_t SINGLE = -1;

// Null with an error.
CarriedBehavior* make_carried(CallPlan& plan, const Parameters& parameters, PyObject* const* extras, Py_ssize_t n);
// Calls it in the interpreter of the calling worker: its value, or null with an error.
PyObject* call_carried(CarriedBehavior& behavior);
void clear_carried(CarriedBehavior& behavior) noexcept;
void let_go_carried(CarriedBehavior& behavior) noexcept;

}  // namespace boc::py
