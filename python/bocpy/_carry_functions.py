"""Functions by value: code, cells, defaults, and a globals dict that holds what the code names.

In the stream a function is first made from its code, its globals dict and empty cells, and then filled: so it may
refer to itself in any way. Functions with the same globals here share a globals dict there.
"""

from __future__ import annotations

import builtins
import marshal
import sys
from _weakref import ref
from types import CellType, CodeType, FunctionType

from ._carry_names import MISSING, find
from ._errors import TransferError

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

_NESTED = 0x10  # CO_NESTED
# Functions of other code are never freed there (python/values/clone.h).
_MARK_NESTED = sys.version_info[:2] == (3, 13) and "t" in getattr(sys, "abiflags", "")

# What every globals dict has of its module.
MODULE_NAMES = ("__name__", "__package__", "__file__", "__doc__")
_NOT_CARRIED = frozenset(
    {*MODULE_NAMES, "__spec__", "__loader__", "__builtins__", "__cached__", "__warningregistry__", "__annotations__"}
)


# Code -----------------------------------------------------------------------------------------------------------------


def reduce_code(code: CodeType) -> tuple[Any, ...]:
    """Code by marshal; constants that marshal does not know (somebody replaced them) by pickle."""
    try:
        return load_code, (marshal.dumps(code),)
    except ValueError:
        return load_code, (marshal.dumps(code.replace(co_consts=())), code.co_consts)


def load_code(data: bytes, constants: tuple[Any, ...] | None = None) -> CodeType:
    """Make the code again."""
    code: CodeType = marshal.loads(data)
    changes: dict[str, Any] = {}
    if constants is not None:
        changes["co_consts"] = constants
    if _MARK_NESTED and not code.co_flags & _NESTED:
        changes["co_flags"] = code.co_flags | _NESTED
    return code.replace(**changes) if changes else code


class Named:
    """What a code object and those nested in it name."""

    __slots__ = ("attributes", "code", "dynamic", "names")

    def __init__(self, code: CodeType) -> None:
        from ._analysis import analyze  # what only runs functions need not import

        analysis = analyze(code)
        self.names, self.attributes, self.dynamic = analysis[0], analysis[1], analysis[3]
        key, all_named = id(code), _named  # code dies after the names of this module too
        self.code = ref(code, lambda _: all_named.pop(key, None))


_named: dict[int, Named] = {}


def named(code: CodeType) -> Named:
    """Analyze the code, once."""
    known = _named.get(id(code))
    if known is None or known.code() is not code:
        known = _named[id(code)] = Named(code)
    return known


# Globals --------------------------------------------------------------------------------------------------------------


class PoisonedBuiltins(dict[str, "Any"]):
    """The builtins of functions some of whose globals could not be carried: loading one of those says why.

    Global names are looked up in the globals, which is always done without asking anybody, and then in the builtins,
    which is done by subscription where that is no plain dict.
    """

    __slots__ = ("module", "reasons")

    def __init__(self, reasons: dict[str, str], module: object) -> None:
        super().__init__(vars(builtins))
        self.reasons = reasons
        self.module = module

    def __missing__(self, name: str) -> Any:
        reason = self.reasons.get(name)
        if reason is None:
            raise KeyError(name)
        raise TransferError(cannot_carry(f"the global '{name}'{_of_module(self.module)}", reason))


def _of_module(name: object) -> str:
    return f" of '{name}'" if type(name) is str else ""


def cannot_carry(what: str, reason: str) -> str:
    """The text of the error that is raised where a behavior uses something that stayed behind."""
    return (
        f"{what} cannot be carried to the interpreter of a worker: {reason}. Create it inside the behavior, put it "
        "into a Cown that the behavior asks for, or into a module that is imported there"
    )


def reason_of(error: BaseException) -> str:
    """Say what was raised, without asking an error of somebody else's for its text."""
    text = error.args[0] if error.args else None
    name = type(error).__name__
    return f"{name}: {text}" if type(text) is str and text else name


def new_globals(names: dict[str, Any], reasons: dict[str, str] | None) -> dict[str, Any]:
    """Make the globals dict of functions carried by value."""
    target = dict(names)
    # In place before the first function is made: a function keeps the builtins that it found then.
    target["__builtins__"] = PoisonedBuiltins(reasons, names.get("__name__")) if reasons else vars(builtins)
    return target


def module_names(source: dict[str, Any]) -> dict[str, Any]:
    """What a globals dict has of its module, without what only the interpreter of that module can use."""
    values = ((name, source.get(name, MISSING)) for name in MODULE_NAMES)
    return {name: value for name, value in values if value is None or type(value) is str}


def inherited_reasons(source: dict[str, Any]) -> dict[str, str]:
    """Why names are missing in globals that were carried before."""
    there = source.get("__builtins__")
    return there.reasons if type(there) is PoisonedBuiltins else {}


def read_globals(function: FunctionType) -> dict[str, Any]:
    """The globals that the function names, as they are now; MISSING where there are none."""
    source = function.__globals__
    what = named(function.__code__)
    found = {name: source.get(name, MISSING) for name in what.names}
    if what.dynamic:
        # It may ask for any name, so it gets them all.
        found.update(
            (name, value) for name, value in list(source.items()) if type(name) is str and name not in _NOT_CARRIED
        )
    return found


# Functions ------------------------------------------------------------------------------------------------------------


def goes_by_name(function: FunctionType) -> bool:
    """Whether every interpreter finds this very function by importing it."""
    return find(function.__module__, function.__qualname__) is function


def make_function(
    code: CodeType, target: dict[str, Any], name: str, cells: tuple[CellType, ...] | None = None
) -> FunctionType:
    """Make a function that still has to be filled."""
    if cells is None and code.co_freevars:
        cells = tuple(CellType() for _ in code.co_freevars)
    return FunctionType(code, target, name, None, cells)


def fill_function(function: FunctionType, state: tuple[Any, ...]) -> None:
    """Give a function the globals it names, the contents of its cells, and its attributes."""
    bindings, cells, attributes, module_data = state
    if bindings:
        function.__globals__.update(bindings)
    for cell, content in cells:
        cell.cell_contents = content
    if attributes:
        for name, value in attributes.items():
            if name == "__dict__":
                function.__dict__.update(value)
            else:
                setattr(function, name, value)
    for module, name, value in module_data:
        module.__dict__[name] = value


def attributes_of(function: FunctionType, *, with_defaults: bool) -> dict[str, Any]:
    """What a function has beside its code, globals and cells, as far as making it does not give the same."""
    code = function.__code__
    attributes: dict[str, Any] = {}
    if with_defaults:
        if function.__defaults__:
            attributes["__defaults__"] = function.__defaults__
        if function.__kwdefaults__:
            attributes["__kwdefaults__"] = function.__kwdefaults__
    if function.__qualname__ != getattr(code, "co_qualname", None):
        attributes["__qualname__"] = function.__qualname__
    if function.__module__ != function.__globals__.get("__name__") and type(function.__module__) is str:
        attributes["__module__"] = function.__module__
    doc = function.__doc__
    if type(doc) is str and (not code.co_consts or code.co_consts[0] != doc):
        attributes["__doc__"] = doc
    return attributes
