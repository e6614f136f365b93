// The noticeboard as it was at one moment, as a Python mapping that decodes what is asked for.
#pragma once

#include <optional>

#include "noticeboard.h"

namespace boc::py {

int add_notice_view_type(PyObject* module);

// A view of the map: a new reference, or null with an error.
PyObject* new_notice_view(NoticeMap map);
// The view that the calling behavior has from its first look on, or, outside behaviors, of this moment.
PyObject* notice_view_here();

// The value of that key in a view: a new reference, the same object each time but for small immutable values; null
// without an error if there is none. May run Python code.
PyObject* value_in_view(PyObject* view, const NoticeKey& key, PyObject* key_object);
// All of it, as a new dict in the order of the keys' first writes. May run Python code.
PyObject* dict_of_view(PyObject* view);

// The key that the object stands for; nothing, and no error, if it can be none.
std::optional<NoticeKey> key_or_nothing(PyObject* object) noexcept;

}  // namespace boc::py
