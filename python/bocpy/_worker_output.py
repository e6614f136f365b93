"""sys.stdout, sys.stderr and sys.stdin of a worker's interpreter.

What is written goes to main as it is, and to what sys.stdout or sys.stderr is there when it arrives. It goes line by
line, and what one ``print`` writes stays together: the native part holds a thread's text until a write ends a line.
"""

from __future__ import annotations

import io
import sys

from . import _bocpy
from ._worker_kinds import STDOUT_BYTES, STDOUT_FLUSH

TYPE_CHECKING = False  # importing typing costs more than all of this; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

_write = _bocpy._write
_flush = _bocpy._flush_output
_post = _bocpy._post


class _Descriptor:
    """What a stream and its buffer share: they stand for a file that only main reads and writes."""

    _number = 0
    _told: tuple[str, str, int | None, bool] = ("utf-8", "strict", None, False)

    def fileno(self) -> int:
        if self._told[2] is None:
            raise io.UnsupportedOperation(f"sys.{_NAMES[self._number]} of the main interpreter has no file descriptor")
        return self._told[2]

    def isatty(self) -> bool:
        return self._told[3]

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        _flush(self._number)
        _post(STDOUT_FLUSH + self._number, b"")

    def close(self) -> None:
        """Main's own file stays open."""
        _flush(self._number)


_NAMES = ("stdout", "stderr")


class _Bytes(_Descriptor, io.BufferedIOBase):
    def __init__(self, stream: _Text) -> None:
        self._number = stream._number
        self._told = stream._told
        self.raw = self

    def write(self, data: Any) -> int:
        sent = bytes(data) if not isinstance(data, str) else None
        if sent is None:
            raise TypeError("a bytes-like object is required, not 'str'")
        _flush(self._number)
        _post(STDOUT_BYTES + self._number, sent)
        return len(sent)

    @property
    def name(self) -> str:
        return f"<{_NAMES[self._number]}>"


class _Text(_Descriptor, io.TextIOBase):
    line_buffering = True
    write_through = False
    mode = "w"

    def __init__(self, number: int, told: tuple[str, str, int | None, bool]) -> None:
        self._number = number
        self._told = told

    def write(self, text: str) -> int:
        return _write(self._number, text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            _write(self._number, line)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._told[0]

    @property
    def errors(self) -> str:  # type: ignore[override]
        return self._told[1]

    @property
    def name(self) -> str:
        return f"<{_NAMES[self._number]}>"

    @property
    def buffer(self) -> _Bytes:
        return _Bytes(self)

    def reconfigure(self, **settings: Any) -> None:
        """Accepted and left to main's own stream."""

    def __repr__(self) -> str:
        return f"<{_NAMES[self._number]} of the main interpreter>"


class _Input(io.TextIOBase):
    """Standard input belongs to main: a worker that waits for it could keep the program from ending."""

    name = "<stdin>"
    mode = "r"
    encoding = "utf-8"
    errors = "strict"

    def _refuse(self, *_: Any) -> Any:
        raise io.UnsupportedOperation(
            "a behavior cannot read standard input: it runs in an interpreter of its own, and the input is the main "
            "interpreter's. Read it there, outside behaviors, and give what was read to a cown"
        )

    read = readline = readlines = fileno = detach = __next__ = _refuse

    def readable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def close(self) -> None:
        """Main's own file stays open."""

    @property
    def buffer(self) -> _Input:
        return self


def install(stdout: Any, stderr: Any) -> None:
    """Put the streams in place of those of the fresh interpreter."""
    sys.stdout = sys.__stdout__ = _Text(0, stdout)  # type: ignore[assignment,misc]
    sys.stderr = sys.__stderr__ = _Text(1, stderr)  # type: ignore[assignment,misc]
    sys.stdin = sys.__stdin__ = _Input()  # type: ignore[assignment,misc]


def describe(stdout: Any, stderr: Any) -> None:
    """Main's streams may be others now."""
    for stream, told in ((sys.__stdout__, stdout), (sys.__stderr__, stderr)):
        if isinstance(stream, _Text):
            stream._told = told
