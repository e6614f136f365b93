"""Writes the definitions of classes into the library."""

from __future__ import annotations

import sys
from _pickle import PicklingError
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType

from . import _bocpy
from ._carry_build import StayedBehind
from ._carry_classes import Record, defining, filled, unreserve
from ._carry_pickler import CarryPickler
from ._carry_reductions import CACHE_TYPE, built_in_base
from ._carry_rounds import run
from ._carry_stand_ins import Bare

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

_GENERIC = ("__orig_bases__", "__parameters__", "__type_params__")
_MADE_ANEW = frozenset(
    {"__dict__", "__weakref__", "__slots__", "__module__", "__qualname__", "_abc_impl", *_GENERIC}
) | {"__slotnames__", "__annotate__", "__annotate_func__", "__annotations_cache__", "__annotations__"}
_METHODS = (FunctionType, classmethod, staticmethod, property, CACHE_TYPE)
_dict_of: Any = vars(type)["__dict__"].__get__


def _slots(cls: type, attributes: Any) -> tuple[str, ...] | None:
    """The slots that the class itself adds, or None if it was defined without __slots__."""
    own = [
        name for name, value in attributes.items() if type(value) is MemberDescriptorType and value.__objclass__ is cls
    ]
    if not own and "__slots__" not in attributes:
        return None
    return (*own, *(name for name in ("__dict__", "__weakref__") if name in attributes))


def _annotations(cls: type, attributes: Any) -> Any:
    if sys.version_info >= (3, 14):
        # They are made when asked for, by a function that refers to all the names of the class statement.
        try:
            return cls.__annotations__ or None
        except Exception:  # names that are not there
            return None
    return attributes.get("__annotations__")


def _ingredients(cls: type, attributes: Any) -> tuple[Any, ...]:
    metaclass = type(cls)
    if built_in_base(metaclass) is not type:
        raise PicklingError(f"classes of the metaclass {metaclass.__qualname__} cannot be made in another interpreter")
    namespace: dict[str, Any] = {"__module__": attributes.get("__module__"), "__qualname__": cls.__qualname__}
    slots = _slots(cls, attributes)
    if slots is not None:
        namespace["__slots__"] = slots
    # Subscribing the class takes these, and is done where it is a generic base of another one.
    for name in _GENERIC:
        if name in attributes:
            namespace[name] = attributes[name]
    return "class", metaclass, cls.__name__, cls.__bases__, namespace, "_abc_impl" in attributes


def _attributes(pickler: CarryPickler, cls: type, attributes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Methods, which may be needed to make what is among the others, and the others."""
    methods: dict[str, Any] = {}
    others: dict[str, Any] = {}
    if "__slots__" in attributes:
        others["__slots__"] = attributes["__slots__"]
    annotations = _annotations(cls, attributes)
    if annotations is not None and ("class", id(cls), "__annotations__") not in pickler.poison:
        others["__annotations__"] = pickler.marked(("class", id(cls), "__annotations__"), annotations)
    for name, value in attributes.items():
        kind = type(value)
        if name in _MADE_ANEW or (
            kind in (GetSetDescriptorType, MemberDescriptorType) and getattr(value, "__objclass__", None) is cls
        ):
            continue
        key = ("class", id(cls), name)
        reason = pickler.poison.get(key)
        if reason is not None:
            others[name] = StayedBehind(f"the attribute '{name}' of the class {cls.__qualname__}", reason)
        else:
            (methods if kind in _METHODS else others)[name] = pickler.marked(key, value)
    return methods, others


def _write_class(pickler: CarryPickler, cls: type) -> None:
    attributes = dict(_dict_of(cls))
    pickler.dump(_ingredients(cls, attributes))
    for part in _attributes(pickler, cls, attributes):
        pickler.dump(part)
    while pickler.deferred:
        batch, pickler.deferred = pickler.deferred, []
        pickler.dump(batch)
    pickler.dump(tuple(pickler.namespaces.values()))


def _define(record: Record, thing: Any) -> CarryPickler:
    def write(pickler: CarryPickler) -> None:
        if isinstance(thing, type):
            _write_class(pickler, thing)
        else:
            pickler.dump(("object", Bare(thing)))

    done = run(write, defining=thing)
    data, buffers, outside = done.several()
    _bocpy._library_fill(record.number, data, outside, buffers)
    record.sources = [(namespace.source, done.seen(namespace.source)) for namespace in done.namespaces.values()]
    record.changeable = {
        (index, name)
        for index, (source, _) in enumerate(record.sources)
        for key, name in done.changeable
        if key == id(source)
    }
    record.needs = list(done.records.values())
    filled(record)
    return done


def define_all(records: list[Record]) -> None:
    """Fill in the definitions of these records and of all they need, which are not filled in yet."""
    with defining:
        batch: list[Record] = []
        todo = list(records)
        try:
            while todo:
                record = todo.pop()
                thing = record.refer()
                if record.filled or record.filling or thing is None:
                    continue
                batch.append(record)
                record.filling = True
                todo += _define(record, thing).records.values()
        except BaseException:
            # Those that are defined may need one that is not.
            for record in batch:
                unreserve(record)
            raise
        finally:
            for record in batch:
                record.filling = False
