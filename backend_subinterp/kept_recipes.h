// The recipes that a code object keeps in the home where its functions are scheduled: packing a function is Python code
// and takes a hundred times as long as scheduling a behavior.
#pragma once

#include "code_info.h"
#include "recipe.h"

namespace boc::py {

// The recipe of the function with its present bindings, with a reference of the caller's own. Null with an error.
Recipe* recipe_of(PyFunctionObject* function, CodeInfo* info);

// In the child of a fork: those of the main interpreter are left alone for ever, as the parent's threads may have been
// at work on them.
void forget_kept_recipes() noexcept;

// Drops what is kept in the caller's home: at wait(), since recipes keep namespaces alive.
void drop_kept_recipes() noexcept;

}  // namespace boc::py
