"""Makes classes from their definitions: first the bare class, which attributes may refer to, then the attributes.

Nothing of the program runs: metaclasses, ``__init_subclass__`` and ``__set_name__`` had their turn where the class was
defined, and what they did is among the attributes.
"""

from __future__ import annotations

from _pickle import Unpickler

from ._carry_functions import cannot_carry
from ._carry_reductions import HEAP_TYPE, IMMUTABLE_TYPE
from ._errors import TransferError

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from typing import Any


class StayedBehind:
    """A class attribute that could not be carried: whoever reads it is told why."""

    __slots__ = ("reason", "what")

    def __init__(self, what: str, reason: str) -> None:
        self.what, self.reason = what, reason

    def __get__(self, instance: object, owner: object = None) -> Any:
        raise TransferError(cannot_carry(self.what, self.reason))

    def __reduce__(self) -> tuple[Any, ...]:
        return StayedBehind, (self.what, self.reason)


def _hooks(bases: tuple[type, ...]) -> list[tuple[type, Any]]:
    """The __init_subclass__ methods that making a subclass would call, first or through super()."""
    classes = {cls for base in bases for cls in base.__mro__}
    return [
        (cls, cls.__dict__["__init_subclass__"])
        for cls in classes
        if "__init_subclass__" in cls.__dict__ and cls.__flags__ & (HEAP_TYPE | IMMUTABLE_TYPE) == HEAP_TYPE
    ]


def _no_hook(cls: type, /, **_: Any) -> None:
    pass


def make_class(metaclass: Any, name: str, bases: tuple[type, ...], namespace: dict[str, Any], abstract: bool) -> type:
    """Make the bare class. `namespace` has only what must be known from the start, as its slots."""
    hooks = _hooks(bases)
    for cls, _ in hooks:
        type.__setattr__(cls, "__init_subclass__", classmethod(_no_hook))
    try:
        made: type = type.__new__(metaclass, name, bases, namespace)
    finally:
        for cls, hook in hooks:
            type.__setattr__(cls, "__init_subclass__", hook)
    if abstract:
        from _abc import _abc_init  # type: ignore[import-not-found,unused-ignore]

        _abc_init(made)
    return made


def set_attributes(cls: type, attributes: dict[str, Any]) -> None:
    """Set what the class statement or somebody later has set, without asking the metaclass."""
    for name, value in attributes.items():
        type.__setattr__(cls, name, value)


def set_globals(reader: Unpickler) -> tuple[dict[str, Any], ...]:
    """Set the globals of the methods that may refer to instances of the class; return all globals dicts."""
    while True:
        batch = reader.load()
        if type(batch) is tuple:
            return batch
        for namespace, name, value in batch:
            namespace[name] = value
