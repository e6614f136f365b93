// The definitions of classes that go by value, once for the process: the numbers under which every interpreter finds
// them. Entries stay for as long as the process: an instance may turn up at any time.
#pragma once

#include "encoded.h"

namespace boc::py {

// For bocpy._carry (see there for what the parts are):
//   _library_add(data, outside, buffers) -> int
//   _library_reserve() -> int             the number of an entry that is filled in later
//   _library_fill(number, data, outside, buffers) -> None
//   _library_get(number) -> (data, buffers, outside)    LookupError if there is none
extern PyMethodDef library_methods[];

}  // namespace boc::py
