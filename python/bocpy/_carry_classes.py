"""Numbers of classes (and of some other things there is one of) that cannot be imported.

Such a class gets a number that is the same in every interpreter. Its definition lies in the library of the process
under that number; an interpreter that meets the number for the first time makes the class from it. From then on the
number is this class and this class has the number, wherever instances come from: ``type(v) is X`` holds everywhere.

Records are guarded by nothing but the order of their steps; two locks keep two threads from defining, or from making,
one class twice. Neither is held while the other one is waited for.
"""

from __future__ import annotations

from _pickle import Unpickler
from _thread import RLock
from _weakref import ref

from . import _bocpy
from . import _carry_build as build
from ._carry_names import MISSING
from ._carry_stream import loader

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


class Record:
    """What is known here about one number."""

    __slots__ = (
        "changeable",
        "changed",
        "complete",
        "filled",
        "filling",
        "namespaces",
        "needs",
        "number",
        "refer",
        "sources",
        "version",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.refer: Callable[[], Any] = lambda: None  # the class, as long as it lives
        self.complete = True  # False while it is being made
        self.filled = True  # the library has its definition
        self.filling = False
        # Where it was defined: the globals that its methods name and what they were when last looked at.
        self.sources: list[tuple[dict[str, Any], dict[str, Any]]] = []
        # Elsewhere: the globals dicts of its methods, in the same order.
        self.namespaces: tuple[dict[str, Any], ...] = ()
        # (index of the source, name) of what was bound anew since the definition was filled in, of what may change in
        # place, and how often a new binding was seen.
        self.changed: set[tuple[int, str]] = set()
        self.changeable: set[tuple[int, str]] = set()
        self.version = 0
        self.needs: list[Record] = []  # the classes that the definition refers to

    def parts_to_refresh(self, data_too: bool) -> list[tuple[int, dict[str, Any]]]:
        """Look at the globals that the methods name; return those that differ from the definition.

        `data_too`: and those that may differ, since they can be changed in place.
        """
        changed = False
        for index, (source, seen) in enumerate(self.sources):
            for name, old in seen.items():
                value = source.get(name, MISSING)
                if value is not old:
                    seen[name] = value
                    self.changed.add((index, name))
                    changed = True
        self.version += changed
        parts: dict[int, dict[str, Any]] = {}
        for index, name in sorted(self.changed | self.changeable if data_too else self.changed):
            parts.setdefault(index, {})[name] = self.sources[index][1][name]
        return list(parts.items())


_by_id: dict[int, Record] = {}
_by_number: dict[int, Record] = {}
# Of the classes defined here, those in the library.
_home: dict[int, Record] = {}
# Another object under this name whenever _home has got a new member: for watches.
GENERATION: dict[str, Any] = {"generation": object()}

defining = RLock()
_making = RLock()


def _register(record: Record, thing: Any) -> None:
    key = id(thing)

    # Defaults, since classes die after the names of this module too.
    def forget(_: object, by_id: Any = _by_id, by_number: Any = _by_number, home: Any = _home) -> None:
        if by_id.get(key) is record:
            del by_id[key]
        if by_number.get(record.number) is record:
            del by_number[record.number]
        home.pop(record.number, None)

    try:
        record.refer = ref(thing, forget)
    except TypeError:
        record.refer = lambda: thing
    _by_id[key] = record
    _by_number[record.number] = record


def record_of(thing: object) -> Record | None:
    """The record of a class that has a number already."""
    record = _by_id.get(id(thing))
    return record if record is not None and record.refer() is thing else None


def reserve(thing: object) -> Record:
    """Give it a number; the definition is to follow."""
    with defining:
        record = record_of(thing)
        if record is None:
            record = Record(_bocpy._library_reserve())
            record.filled = False
            _register(record, thing)
        return record


def unreserve(record: Record) -> None:
    """Forget a number whose definition failed."""
    thing = record.refer()
    if thing is not None and _by_id.get(id(thing)) is record:
        del _by_id[id(thing)]
    _by_number.pop(record.number, None)
    _home.pop(record.number, None)


def filled(record: Record) -> None:
    """The definition of a class of this interpreter is in the library."""
    record.filled = True
    if record.refer() is not None:
        _home[record.number] = record
        GENERATION["generation"] = object()


def with_needs(records: Iterable[Record]) -> set[int]:
    """The numbers of these classes and of all that their definitions refer to."""
    numbers: set[int] = set()
    todo = list(records)
    while todo:
        record = todo.pop()
        if record.number not in numbers:
            numbers.add(record.number)
            todo += record.needs
    return numbers


def home_records() -> list[Record]:
    """The records of the living classes that were defined here."""
    return list(_home.values())


def by_number(number: int) -> Any:
    """The class of that number: known here, or made from its definition."""
    record = _by_number.get(number)
    thing = record.refer() if record is not None else None
    if thing is not None and record.complete:  # type: ignore[union-attr]
        return thing
    with _making:
        # Perhaps made meanwhile, perhaps by this thread and not complete yet: it refers to itself.
        record = _by_number.get(number)
        thing = record.refer() if record is not None else None
        return thing if thing is not None else _make(number)


# Guarded by _making. While a class is being begun, its bases and its metaclass get no attributes yet: these may refer
# to the class.
_beginning: set[int] = set()
_bare: list[tuple[Record, type, Unpickler]] = []


def _make(number: int) -> Any:
    if number in _beginning:
        raise TypeError("a class whose bases refer to the class itself cannot be carried to another interpreter")
    data, buffers, outside = _bocpy._library_get(number)
    reader = loader(data, buffers, outside)
    _beginning.add(number)
    try:
        kind, *parts = reader.load()
        thing = build.make_class(*parts) if kind == "class" else parts[0]
    except BaseException:
        if len(_beginning) == 1:
            _drop_bare()
        raise
    finally:
        _beginning.discard(number)
    record = Record(number)
    _register(record, thing)
    if kind == "class":
        record.complete = False
        _bare.append((record, thing, reader))
    if not _beginning:
        _complete()
    return thing


def _complete() -> None:
    while _bare:
        record, cls, reader = _bare.pop(0)
        try:
            build.set_attributes(cls, reader.load())
            build.set_attributes(cls, reader.load())
            record.namespaces = build.set_globals(reader)
        except BaseException:
            unreserve(record)
            _drop_bare()
            raise
        record.complete = True


def _drop_bare() -> None:
    for record, _, _ in _bare:
        unreserve(record)
    _bare.clear()


def refresh(number: int, parts: list[tuple[int, dict[str, Any], list[str]]]) -> None:
    """Bring the globals that the methods of a class name up to date."""
    try:
        by_number(number)
    except Exception:  # who needs the class will be told
        return
    record = _by_number.get(number)
    if record is None or not record.namespaces:  # it was defined here
        return
    for index, bindings, missing in parts:
        namespace = record.namespaces[index]
        namespace.update(bindings)
        for name in missing:
            namespace.pop(name, None)
