#include "left_behind.h"

#include "batch_type.h"
#include "runtime.h"
#include "scope_object.h"

namespace boc::py {

void end_left_behind() noexcept {
  const std::vector<LeftBehind> all = take_left_behind();
  for (const LeftBehind& left : all) {
    if (left.batch) abandon_batch(*left.batch);
    // The inner ones first.
    for (auto scope = left.scopes.rbegin(); scope != left.scopes.rend(); ++scope) end_scope(**scope);
    for (const Held& h : left.held) {
      if (--h.turn->left == 0) runtime().scheduler().finish(nullptr, *h.turn);
    }
  }
  if (!all.empty()) backend().drop_dead(context());
}

void end_open(Context& c) noexcept {
  leave_behind(c);
  end_left_behind();
}

}  // namespace boc::py
