"""The pickler whose pickles other interpreters can load."""

from __future__ import annotations

import functools
import io
import sys
from _pickle import Pickler, PicklingError
from types import CellType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType

from . import _carry_functions as _functions
from . import _carry_reductions as _reductions
from . import _carry_special as _special
from ._bocpy import Cown, Matrix, _xi_supported
from ._carry_classes import Record, by_number, record_of, reserve
from ._carry_immutable import ATOMS, is_fixed, is_simple
from ._carry_names import (
    MISSING,
    find,
    importable,
    is_standard,
    module_named,
    name_in_types,
    name_of_module,
    name_within,
    other_name,
)
from ._carry_stand_ins import Bare, End, Key, Marked, Namespace, Own, Target
from ._carry_stream import Beside, OutsideList, headed, reduce_outside_list

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TYPE_CLASS = 1 << 31  # Py_TPFLAGS_TYPE_SUBCLASS
_EXCEPTION_CLASS = 1 << 30  # Py_TPFLAGS_BASE_EXC_SUBCLASS
_PLAIN = ATOMS | {list, dict, set, tuple, frozenset, bytearray, Matrix}
_NAMELESS = (type(None), type(...), type(NotImplemented))  # pickle knows them
_reduce: Any = object.__reduce__
_reduce_ex: Any = object.__reduce_ex__


class CarryPickler(Pickler):
    """One pickler, one memo: what two values share is written once."""

    def __init__(
        self,
        poison: dict[Key, str],
        *,
        careful: bool = False,
        defining: object = None,
        chains: bool = True,
        lenient: bool = False,
    ) -> None:
        self.file = io.BytesIO()
        self.beside = Beside()
        super().__init__(self.file, 5, buffer_callback=self.beside.take_buffer)
        self.poison = poison
        self.careful = careful
        self.open: list[Key] = []  # of a careful pickler: which marked values it is in
        self.defining = defining  # the class whose definition this is
        self.chains = chains  # of exceptions
        self.saw_chain = False
        self.lenient = lenient  # attributes of exceptions may be left out
        self.could_leave_out = False
        self.records: dict[int, Record] = {}
        self.namespaces: dict[int, Namespace] = {}
        self.watched: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        self.mutable = False  # there are data that may change in place
        self.changeable: set[tuple[int, str]] = set()  # the globals among those: (address of the dict, name)
        self.deferred: list[tuple[Namespace, str, Any]] = []  # of a definition: globals that may need the class
        self._filled_cells: set[int] = set()

    # The bytes -------------------------------------------------------------------------------------------------------

    def single(self) -> tuple[bytes, list[Any], list[Any]]:
        """What was written, if it is one pickle: bytes, buffers, outside objects."""
        beside = self.beside
        data = self.file.getvalue()
        if beside.anchor_at is not None:
            data = headed(data, beside.anchor_at)
        return data, beside.buffers, beside.outside

    def several(self) -> tuple[bytes, list[Any], list[Any]]:
        """What was written, if it may be several."""
        beside = self.beside
        return headed(self.file.getvalue(), beside.anchor_at), beside.buffers, beside.outside

    def _outside(self, thing: object) -> tuple[Any, ...]:
        return self.beside.add(thing)

    # What may be left out --------------------------------------------------------------------------------------------

    def marked(self, key: Key, value: Any) -> Any:
        """The value, such that it is known whose fault it is when it cannot be carried."""
        if type(value) in ATOMS:
            return value
        self.could_leave_out = True
        return Marked(key, value) if self.careful else value

    def _enter(self, mark: Marked) -> tuple[Any, ...]:
        self.open.append(mark.key)
        return Marked, (mark.value, End())

    def _leave(self, _: End) -> tuple[Any, ...]:
        self.open.pop()
        return End, ()

    # Functions -------------------------------------------------------------------------------------------------------

    def seen(self, source: dict[str, Any]) -> dict[str, Any]:
        """The names looked up in a globals dict, and what was there."""
        return self.watched.setdefault(id(source), (source, {}))[1]

    def _namespace(self, source: dict[str, Any]) -> Namespace:
        known = self.namespaces.get(id(source))
        if known is None:
            known = self.namespaces[id(source)] = Namespace(source)
        return known

    def _reduce_namespace(self, namespace: Namespace) -> tuple[Any, ...]:
        source = namespace.source
        reasons = dict(_functions.inherited_reasons(source))
        for (kind, address, name), reason in self.poison.items():
            if kind == "global" and address == id(source) and self._own(source, name) is None:
                reasons[name] = reason
        return _functions.new_globals, (_functions.module_names(source), reasons or None)

    def _own(self, source: dict[str, Any], name: str) -> Own | None:
        """In place of what cannot be carried, the standard library's own: locks, caches and the like."""
        module_name = source.get("__name__")
        if not is_standard(module_name) or not importable(module_name):
            return None
        module = sys.modules[module_name]  # type: ignore[index]
        return Own(module, name) if module.__dict__ is source else None

    def _reduce_own(self, own: Own) -> tuple[Any, ...]:
        return getattr, (own.module, own.name)

    def _bindings(self, function: FunctionType, namespace: Namespace) -> dict[str, Any]:
        source = function.__globals__
        seen = self.seen(source)
        bindings: dict[str, Any] = {}
        found = _functions.read_globals(function)
        for name, value in found.items():
            seen[name] = value
            if value is MISSING or name in namespace.given:
                continue
            namespace.given.add(name)
            bound = self.binding(source, name, value)
            if bound is MISSING:
                continue
            if self.defining is not None and not is_simple(value, Cown):
                self.deferred.append((namespace, name, bound))
            else:
                bindings[name] = bound
        return bindings

    def binding(self, source: dict[str, Any], name: str, value: Any) -> Any:
        """What to write for a global; MISSING for nothing."""
        key = ("global", id(source), name)
        if key in self.poison:
            own = self._own(source, name)
            return MISSING if own is None else own
        if not is_fixed(value, Cown):
            self.mutable = True
            self.changeable.add((id(source), name))
        return self.marked(key, value)

    def _module_data(self, function: FunctionType) -> list[tuple[ModuleType, str, Any]]:
        """Data read directly from a named module (settings.DEBUG): as they are here."""
        source = function.__globals__
        found = []
        for name, attribute in _functions.named(function.__code__).attributes:
            module = source.get(name)
            if not isinstance(module, ModuleType) or module is sys:
                continue
            module_name = module.__dict__.get("__name__")
            value = module.__dict__.get(attribute, MISSING)
            if isinstance(value, ModuleType):
                # `import a.b` binds a, and nothing says that a imports its b by itself.
                inner = f"{module_name}.{attribute}"
                if sys.modules.get(inner) is value and importable(inner):
                    found.append((module, attribute, value))
                continue
            if is_standard(module_name) or not importable(module_name):
                continue
            # Other objects, markers for instance, may have an identity that the module counts on.
            if not (type(value) in _PLAIN or issubclass(type(value), Cown)):
                continue
            self.seen(module.__dict__)[attribute] = value
            key = ("module", id(module.__dict__), attribute)
            if key not in self.poison:
                self.mutable |= not is_fixed(value, Cown)
                found.append((module, attribute, self.marked(key, value)))
        return found

    def _function(self, function: FunctionType) -> Any:
        if function in _OWN or _functions.goes_by_name(function):
            return NotImplemented
        if _reductions.is_dispatcher(function):
            return _reductions.reduce_dispatcher(function)
        return self._by_value(function, self._namespace(function.__globals__), function.__closure__)

    def _target(self, target: Target) -> tuple[Any, ...]:
        # What it stores in its globals is nobody else's business.
        return self._by_value(target.function, Namespace(target.function.__globals__), None, is_target=True)

    def _by_value(
        self,
        function: FunctionType,
        namespace: Namespace,
        closure: tuple[CellType, ...] | None,
        is_target: bool = False,
    ) -> tuple[Any, ...]:
        cells: list[tuple[CellType, Any]] = []
        for cell in closure or ():
            if id(cell) not in self._filled_cells:
                self._filled_cells.add(id(cell))
                try:
                    cells.append((cell, cell.cell_contents))
                except ValueError:
                    continue
        for _, content in cells:
            # What is no function, class, module or cown may be bound anew, unseen.
            self.mutable |= type(content) in ATOMS or not is_simple(content, Cown)
        attributes = _functions.attributes_of(function, with_defaults=not is_target)
        if "__defaults__" in attributes or "__kwdefaults__" in attributes:
            self.mutable |= not is_fixed(function.__defaults__ or (), Cown)
            self.mutable |= not is_fixed(tuple((function.__kwdefaults__ or {}).values()), Cown)
        if function.__dict__:
            attributes["__dict__"] = self._own_attributes(function)
        if _functions.named(function.__code__).dynamic:
            self.mutable = True  # new names
        state = (self._bindings(function, namespace) or None, cells, attributes or None, self._module_data(function))
        made = (function.__code__, namespace, function.__name__)
        return (
            _functions.make_function,
            (*made, closure) if closure else made,
            state,
            None,
            None,
            _functions.fill_function,
        )

    def _own_attributes(self, function: FunctionType) -> dict[str, Any]:
        kept = {}
        for name, value in function.__dict__.items():
            key = ("attribute", id(function), name)
            if key not in self.poison:
                self.mutable |= name not in ("__wrapped__", "__isabstractmethod__")
                kept[name] = self.marked(key, value)
        return kept

    def _cell(self, cell: CellType) -> tuple[Any, ...]:
        # A function that is being filled brings the content.
        return (CellType, ()) if id(cell) in self._filled_cells else _reductions.reduce_cell(cell)

    # Classes and their instances -------------------------------------------------------------------------------------

    def _numbered(self, thing: object) -> tuple[Any, ...]:
        record = record_of(thing) or reserve(thing)
        self.records[record.number] = record
        if self.careful and not record.filled:
            # Now, while it is known whose fault it is that this class cannot be carried.
            from ._carry_definitions import define_all

            define_all([record])
        return by_number, (record.number,)

    def _class(self, cls: Any) -> Any:
        if record_of(cls) is not None:
            return self._numbered(cls)
        if cls.__module__ == "_pydatetime" and find("datetime", cls.__qualname__) is cls:
            # 3.12 has no other datetime in such interpreters; elsewhere the name means the one written in C.
            return getattr, (sys.modules["datetime"], cls.__qualname__)
        if cls in _NAMELESS or find(cls.__module__, cls.__qualname__) is cls:
            return NotImplemented
        if cls.__module__ == "bocpy":  # errors that show a public name and are not public themselves
            errors = sys.modules["bocpy._errors"]
            if getattr(errors, cls.__name__, None) is cls:
                return getattr, (errors, cls.__name__)
        if not cls.__flags__ & _reductions.HEAP_TYPE:
            name = name_in_types(cls)
            if name is None:
                raise PicklingError(f"no name is known by which another interpreter finds the class '{cls.__name__}'")
            return getattr, (sys.modules["types"], name)
        name = other_name(cls)
        return self._numbered(cls) if name is None else (getattr, (sys.modules[cls.__module__], name))

    def _exception(self, error: BaseException) -> Any:
        self.saw_chain |= error.__cause__ is not None or error.__context__ is not None
        reduced = _reductions.reduce_exception(error, self.chains)
        if not self.lenient or reduced is NotImplemented or reduced[0] is not _reductions.make_exception:
            return reduced
        arguments, attributes, fields, chain = reduced[2]
        kept = []
        for values in (attributes or {}, fields):
            keys = {name: ("error", id(error), name) for name in values}
            kept.append({n: self.marked(keys[n], v) for n, v in values.items() if keys[n] not in self.poison})
        return (*reduced[:2], (arguments, kept[0], kept[1], chain), *reduced[3:])

    def _member(self, member: Any, kind: Any) -> Any:
        """Members of enumerations."""
        if kind is self.defining:
            return _special.raw_reduce(member, _reductions.built_in_base(kind))
        if record_of(kind) is None and find(kind.__module__, kind.__qualname__) is kind:
            return NotImplemented
        name = member.__dict__.get("_name_")
        if type(name) is str and kind._member_map_.get(name) is member:
            return _special.member_named, (kind, name)
        return NotImplemented

    def _bare(self, bare: Bare) -> Any:
        thing: Any = bare.thing
        kind = type(thing)
        if kind.__module__ == "typing":
            return _special.reduce_typing(thing, kind)
        return _special.raw_reduce(thing, _reductions.built_in_base(kind))

    def _marker(self, thing: object) -> Any:
        """A bare object() that is a global is compared by identity: it is one object in each interpreter."""
        if record_of(thing) is not None:
            return self._numbered(thing)
        main = sys.modules.get("__main__")
        sources = [source for source, _ in self.watched.values()]
        for source in [*sources, main.__dict__] if main is not None else sources:
            name = name_within(source, thing)
            if name is not None:
                module = sys.modules.get(source.get("__name__", ""))
                if module is not None and module.__dict__ is source and importable(source["__name__"]):
                    return getattr, (module, name)
                return self._numbered(thing)
        return NotImplemented

    def _module(self, module: ModuleType) -> tuple[Any, ...]:
        return module_named, (name_of_module(module),)

    def _instance(self, thing: Any, kind: Any) -> Any:
        """Instances that say themselves how they are taken apart: perhaps by a name that no other interpreter knows."""
        module = kind.__module__
        if module == "typing" and kind.__name__ in _special.TYPING:
            home = getattr(thing, "__module__", None)
            return NotImplemented if find(home, thing.__name__) is thing else self._numbered(thing)
        if module == "dataclasses":
            return _special.reduce_marker(thing, kind)
        if record_of(kind) is None and importable(module):
            return NotImplemented
        reduced = thing.__reduce_ex__(5)
        return self._numbered(thing) if type(reduced) is str else reduced

    def reducer_override(self, thing: Any) -> Any:
        """Called for everything but the basic built-in types."""
        kind = type(thing)
        handler = _HANDLERS.get(kind)
        if handler is not None:
            return handler(self, thing)
        flags = kind.__flags__
        if flags & _TYPE_CLASS:
            return self._class(thing)
        if flags & _EXCEPTION_CLASS:
            return self._exception(thing)
        if issubclass(kind, Cown):
            return self._outside(thing)
        if type(kind) is not type:
            enum = sys.modules.get("enum")
            if enum is not None and issubclass(type(kind), enum.EnumMeta):
                return self._member(thing, kind)
        if issubclass(kind, ModuleType):
            return self._module(thing)
        if _xi_supported(thing):
            return self._outside(thing)
        if kind.__module__ == "_pydatetime":  # see _class; timezones have a state that those written in C cannot take
            return thing.__reduce_ex__(5)[:2]
        if kind.__reduce__ is not _reduce or kind.__reduce_ex__ is not _reduce_ex or kind.__module__ == "dataclasses":
            return self._instance(thing, kind)
        return NotImplemented


_HANDLERS: dict[type, Callable[[CarryPickler, Any], Any]] = {
    FunctionType: CarryPickler._function,
    Cown: CarryPickler._outside,
    Matrix: CarryPickler._outside,
    object: CarryPickler._marker,
    CellType: CarryPickler._cell,
    CodeType: lambda _, code: _functions.reduce_code(code),
    MethodType: lambda _, method: _reductions.reduce_method(method),
    MappingProxyType: lambda _, proxy: _reductions.reduce_proxy(proxy),
    _reductions.CACHE_TYPE: lambda _, cache: _reductions.reduce_cached(
        cache, find(getattr(cache, "__module__", None), getattr(cache, "__qualname__", None))
    ),
    functools.partialmethod: lambda _, method: _reductions.reduce_partial_method(method),
    functools.singledispatchmethod: lambda _, method: _reductions.reduce_dispatch_method(method),
    ModuleType: CarryPickler._module,
    classmethod: lambda _, method: _special.reduce_method_wrapper(method),
    staticmethod: lambda _, method: _special.reduce_method_wrapper(method),
    property: lambda _, prop: _special.reduce_property(prop),
    Namespace: CarryPickler._reduce_namespace,
    Target: CarryPickler._target,
    Own: CarryPickler._reduce_own,
    Bare: CarryPickler._bare,
    Marked: CarryPickler._enter,
    End: CarryPickler._leave,
    OutsideList: lambda _, __: reduce_outside_list(),
}

# Those that nearly every pickle names need not be looked up.
_OWN: frozenset[Any] = frozenset(
    {
        by_number,
        module_named,
        _functions.fill_function,
        _functions.load_code,
        _functions.make_function,
        _functions.new_globals,
        _reductions.fill_exception,
        _reductions.fill_reduced_exception,
        _reductions.make_exception,
    }
)
