"""What the code of a behavior names: read from its bytecode once per code object, by the extension module."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType

_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_GLOBAL_STORES = frozenset({"STORE_GLOBAL", "DELETE_GLOBAL"})
_FREE_STORES = frozenset({"STORE_DEREF", "DELETE_DEREF"})
_DYNAMIC = frozenset({"globals", "eval", "exec"})
# Every private globals dict has the first of these (python/values/clone.cpp); the others are a class body's own.
_NOT_BOUND = frozenset(
    {"__name__", "__package__", "__spec__", "__file__", "__doc__", "__loader__", "__builtins__", "__warningregistry__"}
) | {"__annotations__", "__conditional_annotations__"}

_Store = tuple[str, str, int]  # "global" or "nonlocal", the name, the line
_Analysis = tuple[
    tuple[str, ...],
    tuple[tuple[str, str], ...],
    "_Store | None",
    bool,
    tuple[str, ...],
    tuple[str, ...],
    tuple[str, ...],
]


class _Found:
    """What one code object and the codes nested in it name and store."""

    def __init__(self) -> None:
        # Dicts keep the order of first use, which keeps the private globals of clones alike.
        self.names: dict[str, None] = {}
        self.attributes: dict[tuple[str, str], None] = {}
        self.stores: list[_Store] = []


def _nested(code: CodeType) -> Iterator[CodeType]:
    return (const for const in code.co_consts if isinstance(const, CodeType))


def _scan(code: CodeType, found: _Found, free: frozenset[str]) -> None:
    """Add what `code` names to `found`; `free` are the names in it that are the outermost code's free variables."""
    line = code.co_firstlineno
    loaded: str | None = None
    for instruction in dis.get_instructions(code):
        opname, argval = instruction.opname, instruction.argval
        # 3.13 changed what starts_line means and added line_number.
        starts = getattr(instruction, "line_number", instruction.starts_line)
        if starts is not None and starts is not True and starts is not False:
            line = starts
        if opname in _LOADS:
            loaded = argval
            if argval not in _NOT_BOUND:
                found.names[argval] = None
            continue
        if opname in _ATTRIBUTES and loaded is not None:
            found.attributes[(loaded, argval)] = None
        elif opname in _GLOBAL_STORES:
            found.stores.append(("global", argval, line))
        elif opname in _FREE_STORES and argval in free:
            found.stores.append(("nonlocal", argval, line))
        loaded = None
    for inner in _nested(code):
        # A free variable of the inner code is the outermost code's only if this code gets it from outside too.
        _scan(inner, found, free.intersection(inner.co_freevars).difference(code.co_cellvars))


def imported_modules(code: CodeType) -> list[str]:
    """The names of the modules that `code` imports itself, where no `try` is ready for an error."""
    instructions = dis.Bytecode(code)
    guarded = [range(entry.start, entry.end) for entry in getattr(instructions, "exception_entries", ())]
    return [
        str(each.argval)
        for each in instructions
        if each.opname == "IMPORT_NAME" and not any(each.offset in block for block in guarded)
    ]


def analyze(code: CodeType) -> _Analysis:
    """Read from `code` and its nested codes what a behavior's captures depend on.

    Returns:
        (global names loaded, (global name, attribute) pairs read directly, the first store to a global or nonlocal
        name as (kind, name, line) or None, whether any global may be reached (globals, eval or exec is named),
        positional parameters, keyword-only parameters, free variables).
    """
    found = _Found()
    if code.co_names or code.co_freevars or any(True for _ in _nested(code)):
        _scan(code, found, frozenset(code.co_freevars))
    positional = code.co_argcount
    return (
        tuple(found.names),
        tuple(found.attributes),
        found.stores[0] if found.stores else None,
        not _DYNAMIC.isdisjoint(found.names),
        code.co_varnames[:positional],
        code.co_varnames[positional : positional + code.co_kwonlyargcount],
        code.co_freevars,
    )
