"""The exceptions of bocpy, and how the traceback of a failed behavior is kept and shown."""

from __future__ import annotations

from _thread import RLock

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from concurrent.futures import CancelledError as _FuturesCancelledError
    from typing import Any

    class CancelledError(_FuturesCancelledError):
        """A behavior was dropped before it began."""


class TransferError(TypeError):
    """A value cannot be handed over: it can neither be shared as it is nor copied. The reason is its ``__cause__``."""

    __module__ = "bocpy"


class UnsupportedFunctionError(SyntaxError, TypeError):
    """A generator, coroutine or async generator function was given as a behavior.

    Both a SyntaxError and a TypeError, since programs catch either.
    """

    __module__ = "bocpy"


# One traceback: file, function and line of each frame in one flat tuple, outermost first. A frame without a file stands
# for as many frames left out as its line says.
_Records = tuple["Any", ...]


def _format(records: _Records) -> str:
    # Not needed until something failed and somebody looks.
    import traceback

    parts = ["Traceback (most recent call last):\n"]
    run: list[traceback.FrameSummary] = []
    for i in range(0, len(records), 3):
        file, function, line = records[i : i + 3]
        if file is None:
            parts += traceback.StackSummary.from_list(run).format()
            parts.append(f"  [{line} frames left out]\n")
            run = []
        else:
            run.append(traceback.FrameSummary(file, line, function, lookup_line=False))
    parts += traceback.StackSummary.from_list(run).format()
    return "".join(parts).rstrip("\n")


class BehaviorTraceback(Exception):
    """The ``__cause__`` of an exception that left a behavior: where it was raised there.

    Its arguments are the records of one traceback after the other, since an exception may be raised again in another
    behavior. The text, source lines included, is made when it is shown.
    """

    __module__ = "bocpy"

    def __str__(self) -> str:
        return "in a behavior\n" + "\nRaised again in a behavior\n".join(_format(records) for records in self.args)


class TracebackNote(str):
    """The same as a note, for an exception that has a cause of its own.

    As a plain string it names the innermost frame; ``str()`` of it, which is what shows notes, gives the whole text.
    """

    __module__ = "bocpy"
    records: _Records

    def __new__(cls, records: _Records) -> TracebackNote:
        """Make a note of one traceback's records."""
        file, function, line = records[-3:] if records else ("?", "?", 0)
        note = super().__new__(cls, f"Raised in a behavior: {file}:{line}, in {function}")
        note.records = records
        return note

    def __str__(self) -> str:
        return "Raised in a behavior\n" + _format(self.records)

    def __reduce__(self) -> tuple[Any, ...]:
        return TracebackNote, (self.records,)


def _cancelled_error() -> type[Exception]:
    # concurrent.futures imports logging: half of what importing bocpy costs, and most programs never need it.
    from concurrent.futures import CancelledError as FuturesCancelledError

    return type(
        "CancelledError",
        (FuturesCancelledError,),
        {"__module__": "bocpy", "__doc__": "A behavior was dropped before it began."},
    )


# Reentrant: a program's own module may stand in the way of one that concurrent.futures imports, and import bocpy.
_cancelled_lock = RLock()


def __getattr__(name: str) -> Any:
    if name != "CancelledError":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _cancelled_lock:
        if "CancelledError" not in globals():
            globals()["CancelledError"] = _cancelled_error()
    return globals()["CancelledError"]
