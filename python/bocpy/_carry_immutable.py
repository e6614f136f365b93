"""Which values never change, so that bytes made from them once stay right."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, ModuleType

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented), range})
# By name: none of these modules is worth an import. Instances of subclasses may have attributes.
_FIXED = frozenset(
    {
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("re", "Pattern"),
        ("uuid", "UUID"),
        ("operator", "itemgetter"),
        ("operator", "attrgetter"),
        ("pathlib", "PosixPath"),
        ("pathlib", "PurePosixPath"),
        ("types", "GenericAlias"),
        ("types", "UnionType"),
        ("builtins", "slice"),
    }
)
_MAX_DEPTH = 32
_TYPE_CLASS = 1 << 31  # Py_TPFLAGS_TYPE_SUBCLASS


def is_simple(value: object, cown: type) -> bool:
    """Atoms, functions, classes, modules and cowns: each is itself wherever it goes, or is looked at elsewhere."""
    kind = type(value)
    if kind in ATOMS or kind is FunctionType or kind is ModuleType or kind is BuiltinFunctionType:
        return True
    return bool(kind.__flags__ & _TYPE_CLASS) or issubclass(kind, (cown, ModuleType))


def is_fixed(value: Any, cown: type, depth: int = 0) -> bool:
    """Whether nothing in the value can change in place. Functions by value are judged where they are reduced."""
    if is_simple(value, cown):
        return True
    kind = type(value)
    if kind is tuple or kind is frozenset:
        return depth < _MAX_DEPTH and all(is_fixed(item, cown, depth + 1) for item in value)
    if kind is object:
        return True
    name = getattr(kind, "__module__", None), kind.__qualname__
    if name in _FIXED or name[0] == "typing":
        return True
    # Members of enumerations, whose classes are of a class of their own.
    return type(kind).__name__ in ("EnumType", "EnumMeta") and type(kind).__module__ == "enum"
