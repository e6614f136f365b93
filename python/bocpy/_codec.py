"""Copies of values by pickle: what the extension module cannot copy by itself comes here.

The rules are the same wherever a value goes: cowns, modules, classes and what is immutable go as they are; functions
are rebuilt from their code with copies of their cells and defaults; exceptions are rebuilt without running their
``__init__``; the rest is what pickle makes of it. Values are never shown to ``str()`` or ``repr()``.
"""

from __future__ import annotations

import functools
import io
import pickle
import sys
from collections.abc import Callable, Iterable
from types import (
    CellType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    SimpleNamespace,
)
from typing import Any

PROTOCOL = 5
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE

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


# Functions ------------------------------------------------------------------------------------------------------------


def fill_function(function: FunctionType, state: tuple[Any, ...]) -> None:
    """Give a function made by function_shell its cells, defaults and attributes."""
    callbacks.fill_function(function, *state)


def fill_cell(cell: CellType, state: tuple[Any]) -> None:
    """Give a new cell its content."""
    cell.cell_contents = state[0]


def reduce_function(function: FunctionType) -> tuple[Any, ...]:
    """Reduce to the shell first, the parts after: they may refer to the function itself."""
    parts = (function.__closure__, function.__defaults__, function.__kwdefaults__, function.__dict__ or None)
    return callbacks.function_shell, (Reference(function),), parts, None, None, fill_function


def reduce_cell(cell: CellType) -> tuple[Any, ...]:
    """Cells that two functions share are shared by their copies."""
    try:
        content = cell.cell_contents
    except ValueError:
        return CellType, ()
    return CellType, (), (content,), None, None, fill_cell


def rewrap_cache(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """Wrap `function` in an empty cache."""
    return functools.lru_cache(**parameters)(function)


def reduce_cached(wrapper: Any) -> Any:
    """An lru_cache found under its name is that one, a nested one becomes a new cache over a copied function."""
    found: Any = sys.modules.get(wrapper.__module__)
    for part in wrapper.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is wrapper:
        return NotImplemented
    return rewrap_cache, (wrapper.__wrapped__, wrapper.cache_parameters())


# Exceptions -----------------------------------------------------------------------------------------------------------

_GROUP: type[BaseException] | None = getattr(__import__("builtins"), "BaseExceptionGroup", None)
# The object an attribute or name was missing from says nothing that the message does not, and often cannot be copied.
_NOT_COPIED = frozenset({"args", "obj", "exceptions", "message"})


def make_exception(base: type[BaseException], cls: type[BaseException], *arguments: Any) -> BaseException:
    """Make an exception by its built-in base's __new__ alone."""
    return base.__new__(cls, *arguments)


def fill_exception(exception: BaseException, state: tuple[Any, ...]) -> None:
    """Give a bare exception its arguments, attributes and chain."""
    arguments, attributes, fields, chain = state
    exception.args = arguments
    for name, value in fields.items():
        object.__setattr__(exception, name, value)
    if attributes:
        exception.__dict__.update(attributes)
    if chain is not None:
        exception.__cause__, exception.__context__, exception.__suppress_context__ = chain


def _exception_fields(exception: BaseException) -> dict[str, Any]:
    """What built-in exceptions and classes with slots keep outside their dict."""
    fields = {}
    for cls in type(exception).__mro__:
        for name, descriptor in vars(cls).items():
            if not isinstance(descriptor, (MemberDescriptorType, GetSetDescriptorType)):
                continue
            if name in _NOT_COPIED or name.startswith("__"):  # __class__, __dict__; the chain is told apart
                continue
            try:
                value = descriptor.__get__(exception)
            except AttributeError:  # not set
                continue
            if value is not None:
                fields[name] = value
    return fields


def reduce_exception(exception: BaseException, chain: bool) -> Any:
    """Reduce an exception so that its class's own __init__ is not run; a class's own reduction is respected."""
    cls = type(exception)
    base: type[Any] = BaseException
    for base in cls.__mro__:
        if not base.__flags__ & _HEAP_TYPE:
            break
        if "__reduce__" in vars(base) or "__reduce_ex__" in vars(base):
            return NotImplemented
    arguments: tuple[Any, ...] = ()
    if _GROUP is not None and isinstance(exception, _GROUP):
        arguments = (exception.message, list(exception.exceptions))  # type: ignore[attr-defined]
    links = (exception.__cause__, exception.__context__, exception.__suppress_context__) if chain else None
    state = (exception.args, exception.__dict__ or None, _exception_fields(exception), links)
    return make_exception, (base, cls, *arguments), state, None, None, fill_exception


# Picklers -------------------------------------------------------------------------------------------------------------

_lru_type = type(functools.lru_cache(lambda: None))


class ValuePickler(pickle.Pickler):
    """A pickler with the rules of this module for what pickle itself refuses or would do otherwise."""

    keep_chains = True  # False: exceptions lose their causes and contexts
    saw_chain = False

    def reducer_override(self, obj: Any) -> Any:
        """Called for everything but the basic built-in types."""
        kind = type(obj)
        if kind is FunctionType:
            return reduce_function(obj)
        if kind is CellType:
            return reduce_cell(obj)
        if kind is MethodType:
            return MethodType, (obj.__func__, obj.__self__)
        if kind is MappingProxyType:
            return MappingProxyType, (dict(obj),)
        if kind is _lru_type:
            return reduce_cached(obj)
        if isinstance(obj, BaseException):
            self.saw_chain |= obj.__cause__ is not None or obj.__context__ is not None
            return reduce_exception(obj, self.keep_chains)
        return NotImplemented


class _CopyPickler(ValuePickler):
    """Pickles for a reader in this interpreter: what goes as it is stays outside, in the list `refs`."""

    def __init__(self, file: io.BytesIO, refs: list[Any], buffer_callback: Callable[[Any], Any], chains: bool) -> None:
        # Before Pickler.__init__, which looks for it.
        self.persistent_id = callbacks.by_reference(refs, Reference)  # type: ignore[method-assign]
        self.keep_chains = chains
        super().__init__(file, PROTOCOL, buffer_callback=buffer_callback)


class _CopyUnpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, refs: list[Any], buffers: Iterable[Any]) -> None:
        self.persistent_load = refs.__getitem__  # type: ignore[method-assign]
        super().__init__(file, buffers=buffers)


def _copy_buffer(buffer: pickle.PickleBuffer) -> bytes | bytearray:
    with buffer.raw() as raw:
        return bytes(raw) if raw.readonly else bytearray(raw)


_Answer = tuple["list[Any] | None", int, "Exception | None"]


def _copy(values: list[Any], chains: bool) -> tuple[_Answer, bool]:
    """copy_all with or without the chains of exceptions, and whether there were any."""
    file = io.BytesIO()
    refs: list[Any] = []
    buffers: list[pickle.PickleBuffer] = []
    pickler = _CopyPickler(file, refs, buffers.append, chains)
    index = 0
    try:
        # One pickler, so one memo: what two values share is written once.
        for index, value in enumerate(values):  # noqa: B007
            pickler.dump(value)
        copied = [_copy_buffer(buffer) for buffer in buffers]
        size = file.tell() + sum(map(len, copied)) + sum(len(ref) for ref in refs if type(ref) is bytearray)
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
