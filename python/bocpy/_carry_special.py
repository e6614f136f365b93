"""Reductions of what pickle would write by a name that no other interpreter knows, or not at all."""

from __future__ import annotations

import sys

from ._carry_reductions import HEAP_TYPE, IMMUTABLE_TYPE

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

# What typing makes and pickle writes by name.
TYPING = frozenset({"TypeVar", "ParamSpec", "TypeVarTuple", "NewType", "TypeAliasType"})

# Instances made without their class's help ----------------------------------------------------------------------------


def raw_new(base: Any, cls: type, arguments: tuple[Any, ...]) -> Any:
    """Make an instance by its built-in base's __new__ alone."""
    return base.__new__(cls, *arguments)


def raw_fill(instance: Any, state: tuple[dict[str, Any], dict[str, Any], Any]) -> None:
    """Give it its attributes, slots and items."""
    attributes, slots, items = state
    if items is not None:
        base = type(items)
        (base.extend if base is list else base.update)(instance, items)
    if attributes:
        instance.__dict__.update(attributes)
    for name, value in slots.items():
        object.__setattr__(instance, name, value)


def raw_reduce(instance: Any, base: Any) -> tuple[Any, ...]:
    """Reduce to what raw_new and raw_fill take."""
    arguments: tuple[Any, ...] = ()
    items = None
    if base in (dict, list, set):
        items = base(instance)
    elif hasattr(base, "__getnewargs__"):
        arguments = base.__getnewargs__(instance)
    elif base is not object:
        arguments = base.__reduce__(instance)[1]
    slots = {}
    for cls in type(instance).__mro__:
        for name, descriptor in cls.__dict__.items():
            if (
                type(descriptor).__name__ != "member_descriptor"
                or cls.__flags__ & (HEAP_TYPE | IMMUTABLE_TYPE) != HEAP_TYPE
            ):
                continue
            try:
                slots[name] = descriptor.__get__(instance)
            except AttributeError:  # not set
                continue
    state = (getattr(instance, "__dict__", {}), slots, items)
    return raw_new, (base, type(instance), arguments), state, None, None, raw_fill


def member_named(cls: Any, name: str) -> Any:
    """The member of an enumeration."""
    return cls._member_map_[name]


# What typing makes ----------------------------------------------------------------------------------------------------


def make_variable(kind: Any, name: str, arguments: tuple[Any, ...], options: dict[str, Any], module: Any) -> Any:
    """Make a type variable."""
    made = kind(name, *arguments, **options)
    if module is not None:
        made.__module__ = module
    return made


def make_alias(name: str, value: Any, parameters: tuple[Any, ...]) -> Any:
    """Make what a type statement makes."""
    import typing

    kind: Any = vars(typing)["TypeAliasType"]  # there since 3.12, and so is this backend
    return kind(name, value, type_params=parameters)


def reduce_typing(thing: Any, kind: Any) -> tuple[Any, ...]:
    if kind.__name__ == "NewType":
        return kind, (thing.__name__, thing.__supertype__)
    if kind.__name__ == "TypeAliasType":
        return make_alias, (thing.__name__, thing.__value__, thing.__type_params__)
    options: dict[str, Any] = {}
    arguments: tuple[Any, ...] = ()
    if kind.__name__ == "TypeVar":
        arguments = thing.__constraints__
        options["bound"] = thing.__bound__
    if kind.__name__ != "TypeVarTuple":
        options.update(covariant=thing.__covariant__, contravariant=thing.__contravariant__)
    if getattr(thing, "has_default", bool)():
        options["default"] = thing.__default__
    if getattr(thing, "__infer_variance__", False):
        options["infer_variance"] = True
    return make_variable, (kind, thing.__name__, arguments, options, getattr(thing, "__module__", None))


def reduce_marker(thing: object, kind: Any) -> Any:
    """Markers of dataclasses, compared by identity: those of the other interpreter."""
    if kind.__name__ in ("_MISSING_TYPE", "_KW_ONLY_TYPE", "_HAS_DEFAULT_FACTORY_CLASS", "_FIELD_BASE"):
        module = sys.modules["dataclasses"]
        for name, value in module.__dict__.items():
            if value is thing:
                return getattr, (module, name)
    return NotImplemented


def reduce_method_wrapper(method: Any) -> tuple[Any, ...]:
    return type(method), (method.__func__,)


def reduce_property(prop: property) -> tuple[Any, ...]:
    return property, (prop.fget, prop.fset, prop.fdel, prop.__doc__)
