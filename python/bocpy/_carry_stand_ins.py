"""What stands in a pickle for something that is not written as it is here. Only picklers see these."""

from __future__ import annotations

from types import FunctionType, ModuleType

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

# What may be left out: (kind, the address of what it belongs to, its name).
Key = tuple[str, int, str]


class Marked:
    """A value that may be left out, seen by a careful pickler."""

    __slots__ = ("key", "value")

    def __init__(self, key: Key, value: object) -> None:
        self.key, self.value = key, value


class End:
    """Comes after a marked value."""

    __slots__ = ()


class Namespace:
    """Stands for the globals dict that functions with the globals `source` have there."""

    __slots__ = ("given", "source")

    def __init__(self, source: dict[str, Any]) -> None:
        self.source = source
        self.given: set[str] = set()  # names that some function brings


class Target:
    """A function that is to be a behavior: its cells and defaults are filled in for each behavior."""

    __slots__ = ("function",)

    def __init__(self, function: FunctionType) -> None:
        self.function = function


class Own:
    """Stands for what the module has under this name where the pickle is loaded."""

    __slots__ = ("module", "name")

    def __init__(self, module: ModuleType, name: str) -> None:
        self.module, self.name = module, name


class Bare:
    """Something that has a number, when its definition is written."""

    __slots__ = ("thing",)

    def __init__(self, thing: object) -> None:
        self.thing = thing
