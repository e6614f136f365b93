#include "notice_view.h"

#include <algorithm>
#include <new>
#include <vector>

#include "arguments.h"
#include "context.h"
#include "cown_type.h"
#include "py_errors.h"

namespace boc::py {
namespace {

// Behind the mappingproxy that noticeboard() returns; programs do not see it. Several threads may read it.
struct ViewObject {
  PyObject_HEAD NoticeMap map;
  PyObject* values;  // strong: a dict of what has been decoded
};

ViewObject* view_of(PyObject* o) noexcept {
  return reinterpret_cast<ViewObject*>(o);
}

bool is_view(PyObject* o) noexcept {
  return Py_IS_TYPE(o, home().notice_view_type);
}

PyObject* text_of(const NoticeKey& key) {
  return PyUnicode_DecodeUTF8(key.text().data(), static_cast<Py_ssize_t>(key.text().size()), nullptr);
}

// The first one that is decoded counts, for all threads. Steals `value`; a new reference, or null with an error.
PyObject* keep_first(PyObject* values, PyObject* key, PyObject* value) {
#if PY_VERSION_HEX >= 0x030D0000
  PyObject* kept = nullptr;
  (void)PyDict_SetDefaultRef(values, key, value, &kept);
#else
  PyObject* kept = Py_XNewRef(PyDict_SetDefault(values, key, value));
#endif
  Py_DECREF(value);
  return kept;
}

// key_object: the key as an exact str.
PyObject* value_of_notice(ViewObject* view, const Notice& notice, PyObject* key_object) {
  if (!notice.value.posted) return notice.value.copy();
  PyObject* known = dict_get(view->values, key_object);
  if (known || PyErr_Occurred()) return known;
  PyObject* value = notice.value.copy();
  return value ? keep_first(view->values, key_object, value) : nullptr;
}

// Throws std::bad_alloc.
std::vector<const Notice*> in_order(const NoticeMap& map) {
  std::vector<const Notice*> all;
  all.reserve(map.size());
  map.each([&](const Notice& notice) { all.push_back(&notice); });
  std::sort(all.begin(), all.end(), [](const Notice* a, const Notice* b) { return a->order < b->order; });
  return all;
}

PyObject* list_of_keys(ViewObject* view) try {
  const std::vector<const Notice*> all = in_order(view->map);
  Ref list(PyList_New(static_cast<Py_ssize_t>(all.size())));
  for (size_t i = 0; list && i < all.size(); ++i) {
    PyObject* key = text_of(all[i]->key);
    if (!key) return nullptr;
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), key);
  }
  return list.release();
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

void view_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(view_of(self)->values);
  view_of(self)->map.~NoticeMap();
  type->tp_free(self);
  Py_DECREF(type);
}

int view_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(view_of(self)->values);
  return 0;
}

int view_clear(PyObject* self) {
  PyDict_Clear(view_of(self)->values);
  return 0;
}

Py_ssize_t view_length(PyObject* self) {
  return static_cast<Py_ssize_t>(view_of(self)->map.size());
}

// A new reference; null without an error if there is none.
PyObject* look_up(PyObject* self, PyObject* key_object) {
  const std::optional<NoticeKey> key = key_or_nothing(key_object);
  return key ? value_in_view(self, *key, key_object) : nullptr;
}

PyObject* view_subscript(PyObject* self, PyObject* key) {
  PyObject* found = look_up(self, key);
  if (!found && !PyErr_Occurred()) PyErr_SetObject(PyExc_KeyError, key);
  return found;
}

int view_contains(PyObject* self, PyObject* key_object) {
  const std::optional<NoticeKey> key = key_or_nothing(key_object);
  return key && view_of(self)->map.find(*key);
}

PyObject* view_get(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  static const char* const names[] = {"key", "default"};
  PyObject* bound[2];
  if (bind_arguments("get(key, default=None)", names, 1, args, n, kwnames, bound) < 0) return nullptr;
  PyObject* found = look_up(self, bound[0]);
  if (found || PyErr_Occurred()) return found;
  return Py_NewRef(bound[1] ? bound[1] : Py_None);
}

PyObject* view_iter(PyObject* self) {
  Ref keys(list_of_keys(view_of(self)));
  return keys ? PyObject_GetIter(keys.get()) : nullptr;
}

PyObject* view_reversed(PyObject* self, PyObject*) {
  Ref keys(list_of_keys(view_of(self)));
  return keys ? PyObject_CallMethod(keys.get(), "__reversed__", nullptr) : nullptr;
}

// Views over the mapping, so that looking at keys or at a part of the items decodes no more.
PyObject* abstract_view(const char* type, PyObject* self) {
  Ref made(module_attribute("_collections_abc", type));
  return made ? PyObject_CallOneArg(made.get(), self) : nullptr;
}

PyObject* view_keys(PyObject* self, PyObject*) {
  return abstract_view("KeysView", self);
}

PyObject* view_values(PyObject* self, PyObject*) {
  return abstract_view("ValuesView", self);
}

PyObject* view_items(PyObject* self, PyObject*) {
  return abstract_view("ItemsView", self);
}

PyObject* view_copy(PyObject* self, PyObject*) {
  return dict_of_view(self);
}

PyObject* view_repr(PyObject* self) {
  Ref dict(dict_of_view(self));
  return dict ? PyObject_Repr(dict.get()) : nullptr;
}

// Views as dicts, anything else as it is.
PyObject* operand(PyObject* o) {
  return is_view(o) ? dict_of_view(o) : Py_NewRef(o);
}

PyObject* view_or(PyObject* left, PyObject* right) {
  Ref a(operand(left));
  Ref b(a ? operand(right) : nullptr);
  return b ? PyNumber_Or(a.get(), b.get()) : nullptr;
}

PyObject* view_compare(PyObject* self, PyObject* other, int operation) {
  if (operation != Py_EQ && operation != Py_NE) Py_RETURN_NOTIMPLEMENTED;
  Ref a(operand(self));
  Ref b(a ? operand(other) : nullptr);
  return b ? PyObject_RichCompare(a.get(), b.get(), operation) : nullptr;
}

PyMethodDef view_methods[] = {{"get", as_method(view_get), METH_FASTCALL | METH_KEYWORDS, nullptr},
                              {"keys", view_keys, METH_NOARGS, nullptr},
                              {"values", view_values, METH_NOARGS, nullptr},
                              {"items", view_items, METH_NOARGS, nullptr},
                              {"copy", view_copy, METH_NOARGS, nullptr},
                              {"__reversed__", view_reversed, METH_NOARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};
PyType_Slot view_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(view_dealloc)},
                            {Py_tp_traverse, reinterpret_cast<void*>(view_traverse)},
                            {Py_tp_clear, reinterpret_cast<void*>(view_clear)},
                            {Py_mp_length, reinterpret_cast<void*>(view_length)},
                            {Py_mp_subscript, reinterpret_cast<void*>(view_subscript)},
                            {Py_sq_contains, reinterpret_cast<void*>(view_contains)},
                            {Py_nb_or, reinterpret_cast<void*>(view_or)},
                            {Py_tp_iter, reinterpret_cast<void*>(view_iter)},
                            {Py_tp_repr, reinterpret_cast<void*>(view_repr)},
                            {Py_tp_richcompare, reinterpret_cast<void*>(view_compare)},
                            {Py_tp_hash, reinterpret_cast<void*>(PyObject_HashNotImplemented)},
                            {Py_tp_methods, view_methods},
                            {0, nullptr}};
PyType_Spec view_spec = {"bocpy._NoticeView", sizeof(ViewObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, view_slots};

}  // namespace

std::optional<NoticeKey> key_or_nothing(PyObject* object) noexcept {
  if (!PyUnicode_Check(object)) return std::nullopt;
  Py_ssize_t size;
  const char* text = PyUnicode_AsUTF8AndSize(object, &size);
  if (!text) PyErr_Clear();
  if (!text || size > static_cast<Py_ssize_t>(NoticeKey::MOST)) return std::nullopt;
  return NoticeKey({text, static_cast<size_t>(size)});
}

PyObject* new_notice_view(NoticeMap map) {
  Ref values(PyDict_New());
  if (!values) return nullptr;
  PyTypeObject* type = home().notice_view_type;
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  new (&view_of(self)->map) NoticeMap(std::move(map));
  view_of(self)->values = values.release();
  return self;
}

PyObject* notice_view_here() {
  Context& here = context();
  if (!here.current) return new_notice_view(noticeboard().look());
  if (!here.notices) here.notices = new_notice_view(noticeboard().look());
  return Py_XNewRef(here.notices);
}

PyObject* value_in_view(PyObject* view, const NoticeKey& key, PyObject* key_object) {
  const Notice* notice = view_of(view)->map.find(key);
  if (!notice) return nullptr;
  if (PyUnicode_CheckExact(key_object)) return value_of_notice(view_of(view), *notice, key_object);
  Ref text(text_of(key));  // a subclass may hash and compare as it likes
  return text ? value_of_notice(view_of(view), *notice, text.get()) : nullptr;
}

PyObject* dict_of_view(PyObject* view) try {
  Ref dict(PyDict_New());
  if (!dict) return nullptr;
  for (const Notice* notice : in_order(view_of(view)->map)) {
    Ref key(text_of(notice->key));
    Ref value(key ? value_of_notice(view_of(view), *notice, key.get()) : nullptr);
    if (!value || PyDict_SetItem(dict.get(), key.get(), value.get()) < 0) return nullptr;
  }
  return dict.release();
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

int add_notice_view_type(PyObject* module) {
  home().notice_view_type = make_type(module, &view_spec, nullptr);
  return home().notice_view_type ? 0 : -1;
}

}  // namespace boc::py
