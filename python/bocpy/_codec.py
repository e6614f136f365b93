"""Copies of values by pickle: what the extension module cannot copy by itself comes here.

The rules are the same wherever a value goes: cowns, modules, classes and what is immutable go as they are; functions
are rebuilt from their code with copies of their cells and defaults; exceptions are rebuilt without running their
``__init__``; the rest is what pickle makes of it. Values are never shown to ``str()`` or ``repr()``.
"""

from __future__ import annotations

import io
from _pickle import PickleBuffer, Pickler, Unpickler
from collections.abc import Callable, Iterable
from types import CellType, FunctionType, MappingProxyType, MethodType, SimpleNamespace

from . import _carry_reductions as _reductions
from ._bocpy import Matrix

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

PROTOCOL = 5

# What the extension module does for us (python/values/codec_bridge.h), once install() was called.
callbacks: Any = None


def install(functions: dict[str, Callable[..., Any]]) -> None:
    """Take the extension module's callbacks. Called by it before the first copy."""
    global callbacks
    callbacks = SimpleNamespace(**functions)


class Reference:
    """Stands in a reduction for an object that goes as it is, though its like is copied elsewhere."""

    __slots__ = ("object",)

    def __init__(self, target: object) -> None:
        self.object = target


def as_it_is(thing: object) -> object:
    """Called by a pickle with what a Reference stood for."""
    return thing


# Functions ------------------------------------------------------------------------------------------------------------


def fill_function(function: FunctionType, state: tuple[Any, ...]) -> None:
    """Give a function made by function_shell its cells, defaults and attributes."""
    callbacks.fill_function(function, *state)


def reduce_function(function: FunctionType) -> tuple[Any, ...]:
    """Reduce to the shell first, the parts after: they may refer to the function itself."""
    parts = (function.__closure__, function.__defaults__, function.__kwdefaults__, function.__dict__ or None)
    return callbacks.function_shell, (Reference(function),), parts, None, None, fill_function


# Picklers -------------------------------------------------------------------------------------------------------------


class ValuePickler(Pickler):
    """A pickler with the rules of this module for what pickle itself refuses or would do otherwise."""

    keep_chains = True  # False: exceptions lose their causes and contexts
    saw_chain = False

    def reducer_override(self, obj: Any) -> Any:
        """Called for everything but the basic built-in types."""
        kind = type(obj)
        if kind is FunctionType:
            return _reductions.reduce_dispatcher(obj) if _reductions.is_dispatcher(obj) else reduce_function(obj)
        if kind is CellType:
            return _reductions.reduce_cell(obj)
        if kind is MethodType:
            return _reductions.reduce_method(obj)
        if kind is MappingProxyType:
            return _reductions.reduce_proxy(obj)
        if kind is _reductions.CACHE_TYPE:
            return _reductions.reduce_cached(obj, _reductions.lookup(obj))
        if _reductions.is_exception_type(kind):
            self.saw_chain |= obj.__cause__ is not None or obj.__context__ is not None
            return _reductions.reduce_exception(obj, self.keep_chains)
        copy = callbacks.copy_shareable(obj)
        return NotImplemented if copy is NotImplemented else (as_it_is, (Reference(copy),))


class _CopyPickler(ValuePickler):
    """Pickles for a reader in this interpreter: what goes as it is stays outside, in the list `refs`."""

    def __init__(self, file: io.BytesIO, refs: list[Any], buffer_callback: Callable[[Any], Any], chains: bool) -> None:
        # Before Pickler.__init__, which looks for it.
        self.persistent_id = callbacks.by_reference(refs, Reference)  # type: ignore[method-assign]
        self.keep_chains = chains
        super().__init__(file, PROTOCOL, buffer_callback=buffer_callback)


class _CopyUnpickler(Unpickler):
    def __init__(self, file: io.BytesIO, refs: list[Any], buffers: Iterable[Any]) -> None:
        self.persistent_load = refs.__getitem__  # type: ignore[method-assign]
        super().__init__(file, buffers=buffers)


def _copy_buffer(buffer: PickleBuffer) -> bytes | bytearray:
    with buffer.raw() as raw:
        return bytes(raw) if raw.readonly else bytearray(raw)


def _room(ref: Any) -> int:
    """Return the bytes of what was copied beside the pickle."""
    if type(ref) is bytearray:
        return len(ref)
    return 8 * ref.size if type(ref) is Matrix else 0


_Answer = tuple["list[Any] | None", int, "Exception | None"]


def _copy(values: list[Any], chains: bool) -> tuple[_Answer, bool]:
    """copy_all with or without the chains of exceptions, and whether there were any."""
    file = io.BytesIO()
    refs: list[Any] = []
    buffers: list[PickleBuffer] = []
    pickler = _CopyPickler(file, refs, buffers.append, chains)
    index = 0
    try:
        # One pickler, so one memo: what two values share is written once.
        for index, value in enumerate(values):  # noqa: B007
            pickler.dump(value)
        copied = [_copy_buffer(buffer) for buffer in buffers]
        size = file.tell() + sum(map(len, copied)) + sum(_room(ref) for ref in refs)
        file.seek(0)
        unpickler = _CopyUnpickler(file, refs, copied)
        copies = []
        for index in range(len(values)):  # noqa: B007
            copies.append(unpickler.load())
        return (copies, size, None), pickler.saw_chain
    except Exception as error:
        return (None, index, error), pickler.saw_chain


def copy_all(values: list[Any]) -> _Answer:
    """Copy each of `values` with one memo for all.

    Returns:
        (the copies, about how many bytes they take, None), or
        (None, the index of the value that cannot be copied, why). What is no Exception is raised.
    """
    answer, saw_chain = _copy(values, True)
    if answer[0] is None and saw_chain:
        # An exception's context may hold anything; without it the exception itself may still be told.
        second, _ = _copy(values, False)
        if second[0] is not None:
            return second
    return answer
