"""Reductions that copies within an interpreter (_codec) and transfers between interpreters (_carry) have in common.

A reduction is what pickle's ``reducer_override`` returns. The functions named in one are found by their names here.
"""

from __future__ import annotations

import functools
import sys
from types import (
    CellType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
)

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE
IMMUTABLE_TYPE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE
_EXCEPTION_CLASS = 1 << 30  # Py_TPFLAGS_BASE_EXC_SUBCLASS


def is_exception_type(kind: type) -> bool:
    """As issubclass(kind, BaseException), without asking anybody's metaclass."""
    return bool(kind.__flags__ & _EXCEPTION_CLASS)


def built_in_base(cls: type) -> Any:
    """The first class of the MRO that is not made by a class statement or its like."""
    return next(base for base in cls.__mro__ if base.__flags__ & (HEAP_TYPE | IMMUTABLE_TYPE) != HEAP_TYPE)


# Cells, methods and what wraps functions ------------------------------------------------------------------------------


def fill_cell(cell: CellType, state: tuple[Any]) -> None:
    """Give a new cell its content."""
    cell.cell_contents = state[0]


def reduce_cell(cell: CellType) -> tuple[Any, ...]:
    """Cells that two functions share are shared by their copies."""
    try:
        content = cell.cell_contents
    except ValueError:
        return CellType, ()
    return CellType, (), (content,), None, None, fill_cell


def reduce_method(method: MethodType) -> tuple[Any, ...]:
    """Bound methods are bound to the copy of their object."""
    return MethodType, (method.__func__, method.__self__)


def reduce_proxy(proxy: MappingProxyType[Any, Any]) -> tuple[Any, ...]:
    """A read-only view of a dict becomes one of a copy."""
    return MappingProxyType, (dict(proxy),)


def rewrap_cache(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """Wrap `function` in an empty cache."""
    return functools.lru_cache(**parameters)(function)


def reduce_cached(wrapper: Any, found: object) -> Any:
    """An lru_cache `found` under its name is that one, a nested one becomes a new cache over a copied function."""
    if found is wrapper:
        return NotImplemented
    return rewrap_cache, (wrapper.__wrapped__, wrapper.cache_parameters())


def lookup(wrapper: Any) -> object:
    """What stands under the name that the wrapper says is its own."""
    found: Any = sys.modules.get(wrapper.__module__)
    for part in wrapper.__qualname__.split("."):
        found = getattr(found, part, None)
    return found


CACHE_TYPE = type(functools.lru_cache(lambda: None))
_dispatcher_code = functools.singledispatch(lambda x: None).__code__  # type: ignore[attr-defined]


def is_dispatcher(function: FunctionType) -> bool:
    """Whether functools.singledispatch made this function."""
    return function.__code__ is _dispatcher_code


def make_dispatcher(base: Callable[..., Any], others: list[tuple[type, Callable[..., Any]]]) -> Any:
    """Make a singledispatch function with these implementations."""
    made = functools.singledispatch(base)
    for cls, function in others:
        made.register(cls, function)
    return made


def reduce_dispatcher(function: Any) -> tuple[Any, ...]:
    """A singledispatch function keeps its implementations; its cache, of weak references, starts empty."""
    registry = dict(function.registry)
    base = registry.pop(object)
    return make_dispatcher, (base, list(registry.items()))


def make_dispatch_method(function: Any, dispatcher: Any) -> Any:
    """Make a singledispatchmethod."""
    made: Any = functools.singledispatchmethod(function)
    made.dispatcher = dispatcher
    return made


def reduce_dispatch_method(method: Any) -> tuple[Any, ...]:
    """As reduce_dispatcher, for methods."""
    return make_dispatch_method, (method.func, method.dispatcher)


def make_partial_method(function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Make a partialmethod."""
    return functools.partialmethod(function, *arguments, **keywords)


def reduce_partial_method(method: Any) -> tuple[Any, ...]:
    """Since 3.14 they cannot be made without their arguments."""
    return make_partial_method, (method.func, method.args, method.keywords)


# Exceptions -----------------------------------------------------------------------------------------------------------

_GROUP: type[BaseException] | None = getattr(__import__("builtins"), "BaseExceptionGroup", None)
# The object an attribute or name was missing from says nothing that the message does not, and often cannot be copied.
_NOT_COPIED = frozenset({"args", "obj", "exceptions", "message"})


_ARGS: Any = vars(BaseException)["args"]


def make_exception(base: type[BaseException], cls: type[BaseException], *arguments: Any) -> BaseException:
    """Make an exception by its built-in base's __new__ alone."""
    return base.__new__(cls, *arguments)


def fill_exception(exception: BaseException, state: tuple[Any, ...]) -> None:
    """Give a bare exception its arguments, attributes and chain."""
    arguments, attributes, fields, chain = state
    # Past what the class itself may do when it is told to change, or has under that name.
    _ARGS.__set__(exception, arguments)
    for name, value in fields.items():
        object.__setattr__(exception, name, value)
    if attributes:
        exception.__dict__.update(attributes)
    _set_chain(exception, chain)


def _set_chain(exception: BaseException, chain: tuple[Any, ...] | None) -> None:
    if chain is not None:
        for name, value in zip(("__cause__", "__context__", "__suppress_context__"), chain, strict=True):
            object.__setattr__(exception, name, value)


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


def _links(exception: BaseException, chain: bool) -> tuple[Any, ...] | None:
    cause = exception.__cause__
    if chain:
        return cause, exception.__context__, exception.__suppress_context__
    from ._errors import BehaviorTraceback

    # Where a behavior failed is told even if the rest of the chain is left out: it consists of text and numbers.
    return (cause, None, True) if type(cause) is BehaviorTraceback else None


def _own_reduction(exception: BaseException, chain: bool) -> Any:
    """As its class reduces the exception, and with what Python itself has added: its chain, place and notes."""
    links, notes = _links(exception, chain), exception.__dict__.get("__notes__")
    if links is None and notes is None:
        return NotImplemented
    reduced = exception.__reduce_ex__(5)
    if type(reduced) is not tuple:
        return reduced
    make, arguments, state, items, pairs, setter = (*reduced, None, None, None, None)[:6]
    return make, arguments, (state, setter, links, notes), items, pairs, fill_reduced_exception


def fill_reduced_exception(exception: Any, kept: tuple[Any, ...]) -> None:
    """Give what a reduction has made its state, as pickle does, and then what Python itself had added."""
    state, setter, chain, notes = kept
    if setter is not None:
        setter(exception, state)
    elif state is not None:
        exception.__setstate__(state)
    if isinstance(exception, BaseException):  # its reduction may have made something else
        if notes is not None:
            exception.__dict__["__notes__"] = notes
        _set_chain(exception, chain)


def reduce_exception(exception: BaseException, chain: bool) -> Any:
    """Reduce an exception so that its class's own __init__ is not run; a class's own reduction is respected."""
    cls = type(exception)
    base: type[Any] = BaseException
    for base in cls.__mro__:
        if not base.__flags__ & HEAP_TYPE:
            break
        if "__reduce__" in vars(base) or "__reduce_ex__" in vars(base):
            return _own_reduction(exception, chain)
    arguments: tuple[Any, ...] = ()
    if _GROUP is not None and isinstance(exception, _GROUP):
        arguments = (exception.message, list(exception.exceptions))  # type: ignore[attr-defined]
    links = _links(exception, chain)
    state = (_ARGS.__get__(exception), exception.__dict__ or None, _exception_fields(exception), links)
    return make_exception, (base, cls, *arguments), state, None, None, fill_exception
