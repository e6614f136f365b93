"""What the bytes look like: pickles, and how one of them comes by the objects that stay outside.

A value without such objects is one pickle. Else a header of five bytes comes first, then one pickle or several with one
memo. The list of the outside objects is handed to the unpickler as if it were an out-of-band buffer, so that nobody is
asked about every object of a value; the header says as how many-th.
"""

from __future__ import annotations

import io
import operator
from _pickle import PickleBuffer, Pickler, Unpickler, loads
from itertools import chain

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_HEADED = 0x01  # a pickle of this protocol begins with 0x80
_NOWHERE = 0xFFFFFFFF


class OutsideList:
    """Stands for the list of the outside objects in a pickle."""

    __slots__ = ()


class Beside:
    """What goes beside a pickle: out-of-band buffers and outside objects.

    Apart from the pickler, so that no reference cycle has a buffer in it: if it is a buffer of a memoryview, collecting
    such a cycle crashes CPython 3.12.
    """

    __slots__ = ("anchor", "anchor_at", "buffers", "outside")

    def __init__(self) -> None:
        self.buffers: list[Any] = []
        self.outside: list[Any] = []
        self.anchor: OutsideList | None = None
        self.anchor_at: int | None = None  # before how many-th buffer the list comes

    def take_buffer(self, buffer: PickleBuffer) -> bool:
        """The buffer callback of a pickler."""
        if self.anchor is not None and self.anchor_at is None:
            self.anchor_at = len(self.buffers)
        else:
            self.buffers.append(buffer)
        return False  # out of band

    def add(self, thing: object) -> tuple[Any, ...]:
        """Reduce an outside object to its place in the list."""
        if self.anchor is None:
            self.anchor = OutsideList()
        self.outside.append(thing)
        return operator.getitem, (self.anchor, len(self.outside) - 1)


def outside_list(given: list[Any]) -> list[Any]:
    """Called by a pickle with what its reader was handed over."""
    return given


def reduce_outside_list() -> tuple[Any, ...]:
    """The buffer is a writable one: those that are not get wrapped by the unpickler."""
    return outside_list, (PickleBuffer(bytearray(1)),)


def headed(data: bytes, anchor_at: int | None) -> bytes:
    """Put the header before pickles."""
    return b"\x01" + (_NOWHERE if anchor_at is None else anchor_at).to_bytes(4, "little") + data


def _merged(data: Any, buffers: Sequence[Any], outside: list[Any]) -> Any:
    at = int.from_bytes(data[1:5], "little")
    if at == _NOWHERE:
        return buffers
    return chain(buffers[:at], (outside,), buffers[at:])


def load(data: Any, buffers: Sequence[Any], outside: list[Any]) -> Any:
    """Load the first pickle."""
    if data[0] != _HEADED:
        return loads(data, buffers=buffers)
    return loads(memoryview(data)[5:], buffers=_merged(data, buffers, outside))


def loader(data: Any, buffers: Sequence[Any], outside: list[Any]) -> Unpickler:
    """An unpickler for the pickles behind a header, one after the other."""
    return Unpickler(io.BytesIO(memoryview(data)[5:]), buffers=_merged(data, buffers, outside))


# CPython 3.12 corrupts the heap if a function of an extension module gets its first keyword argument of the process in
# a sub-interpreter. The main interpreter is the first to import this module.
Pickler(io.BytesIO(), 5, buffer_callback=None)
Unpickler(io.BytesIO(), buffers=())
loads(b"N.", buffers=())
