"""Values and functions by value from one interpreter to another: called by the extension module.

Everything is a pickle (protocol 5) with out-of-band buffers, beside which the objects go that the extension module
carries itself: cowns. Functions and classes that every interpreter can import go by name. The others go by value:
functions with what they name (_carry_functions), classes once per process (_carry_classes).
"""

from __future__ import annotations

from types import FunctionType

from . import _carry_classes as _classes
from . import _carry_functions as _functions
from ._bocpy import Cown
from ._carry_immutable import ATOMS, is_simple
from ._carry_names import MISSING, is_standard
from ._carry_pickler import CarryPickler
from ._carry_rounds import run
from ._carry_stand_ins import Target
from ._errors import BehaviorTraceback, TracebackNote, TransferError

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

__all__ = ["MISSING", "pack", "pack_error", "pack_function"]

Packed = tuple[bytes, "list[Any]", "list[Any]"]
Watches = tuple["tuple[dict[str, Any], str, Any]", ...]


def _define_classes(pickler: CarryPickler) -> None:
    missing = [record for record in pickler.records.values() if not record.filled]
    if missing:
        from ._carry_definitions import define_all

        define_all(missing)


def _pack(value: object, **options: Any) -> Packed:
    done = run(lambda pickler: pickler.dump(value), **options)
    if done.records:
        _define_classes(done)
    return done.single()


def pack(value: object) -> Packed:
    """Pack a value.

    Returns:
        (bytes, out-of-band buffers, objects that go beside them). Raises what pickling raises.
    """
    return _pack(value)


# Functions ------------------------------------------------------------------------------------------------------------


def _names_data(function: FunctionType) -> bool:
    values = _functions.read_globals(function).values()
    return any(
        value is not MISSING and (type(value) in ATOMS or isinstance(value, Cown) or not is_simple(value, Cown))
        for value in values
    )


def _write_refreshes(pickler: CarryPickler) -> None:
    """Write what changed of the globals that methods of classes by value name, and define classes met on the way.

    New bindings go along with every function, since a behavior meets instances in cowns too; data that may have changed
    in place only with functions that lead to the class: they make such a function expensive to schedule.
    """
    done: set[int] = set()
    while True:
        _define_classes(pickler)
        reached = _classes.with_needs(pickler.records.values())
        todo = [record for record in _classes.home_records() if record.number not in done]
        if not todo:
            return
        for record in todo:
            done.add(record.number)
            parts = []
            for index, names in record.parts_to_refresh(record.number in reached):
                source = record.sources[index][0]
                found = {name: pickler.binding(source, name, value) for name, value in names.items()}
                bindings = {name: value for name, value in found.items() if value is not MISSING}
                parts.append((index, bindings, [name for name in found if name not in bindings]))
            for source, names in record.sources:
                pickler.seen(source).update(names)
            if parts:
                pickler.dump((record.number, record.version, parts))


def pack_function(function: Any) -> tuple[bytes, list[Any], list[Any], Watches, bool]:
    """Pack a function that is to be a behavior: without its own defaults and the contents of its own cells.

    Returns:
        (bytes, buffers, outside objects as pack(), watches, mutable). The bytes are right as long as every watch
        (globals, name, value) finds that very value, MISSING for none; and, where `mutable`, only until somebody may
        have changed data in place.
    """
    root: Any = function
    if type(function) is FunctionType and not (
        # Functions of importable modules too if they name data, which come from where the behavior was scheduled.
        _functions.goes_by_name(function) and (is_standard(function.__module__) or not _names_data(function))
    ):
        root = Target(function)

    def write(pickler: CarryPickler) -> None:
        pickler.dump(root)
        if type(function) is FunctionType and root is function:
            pickler.seen(function.__globals__).update(_functions.read_globals(function))
        _write_refreshes(pickler)
        pickler.dump(None)

    done = run(write)
    watches: list[tuple[dict[str, Any], str, Any]] = []
    for source, names in done.watched.values():
        if not is_standard(source.get("__name__")):
            watches += ((source, name, value) for name, value in names.items())
    watches.append((_classes.GENERATION, "generation", _classes.GENERATION["generation"]))
    return *done.several(), tuple(watches), done.mutable


# Errors ---------------------------------------------------------------------------------------------------------------


def _stand_in(error: BaseException, reason: BaseException) -> TransferError:
    kind = type(error)
    text = error.args[0] if error.args else None
    said = f" It said: {text}" if type(text) is str else ""
    made = TransferError(
        f"a behavior raised {kind.__qualname__} (module {kind.__module__}), which cannot be carried to another "
        f"interpreter: {_functions.reason_of(reason)}.{said}"
    )
    if type(error.__cause__) is BehaviorTraceback:
        made.__cause__ = error.__cause__
    notes = getattr(error, "__notes__", None)
    if type(notes) is list:
        made.__notes__ = [note for note in notes if type(note) in (str, TracebackNote)]
    return made


def pack_error(error: BaseException) -> Packed:
    """Pack an exception, whatever it takes: without its chain, without some attributes, or as a TransferError."""
    reason: Exception | None = None
    for lenient in (False, True):
        try:
            return _pack(error, lenient=lenient)
        except Exception as failed:
            reason = failed
    assert reason is not None
    return _pack(_stand_in(error, reason))
