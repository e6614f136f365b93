"""What the tests of payloads share: values that live in chosen workers, and what the workers counted of their moves.

A lock cannot leave the interpreter that made it, so behaviors that take one run there: an anchor. Behaviors use this
module too, so nothing here depends on pytest.
"""

from __future__ import annotations

import collections
import os
import select
import threading
from collections.abc import Callable
from typing import Any

from boc_testing import DEADLINE, Gate
from bocpy import Cown, _bocpy, backend, quiesce, wait, whencall

#: True where values move between interpreters.
MOVING = backend() == "subinterp"


def here() -> int:
    """The worker that runs the calling behavior."""
    return threading.get_ident()


def elsewhere(worker: int) -> bool:
    """Whether the calling behavior runs in another worker than this one. On threads it may run anywhere."""
    return not MOVING or worker != here()


def filled_by_a_behavior(make: Callable[..., object], *arguments: object) -> Cown[Any]:
    """A cown whose value a behavior has made, in the time after `wait()`."""

    def fill(cown):
        cown.value = make(*arguments)

    cown: Cown[Any] = Cown(None)
    whencall(fill, [cown])
    wait()
    return cown


def live_apart(gate: Gate, *makers: Callable[[], object]) -> list[Cown[Any]]:
    """A cown for each maker, each value made in a worker of its own. Opens the gate."""

    def fill(cown, maker):
        cown.value = maker()
        gate.pass_through()
        return here()

    cowns: list[Cown[Any]] = [Cown(None) for _ in makers]
    places = [whencall(fill, [cown], [maker]) for cown, maker in zip(cowns, makers, strict=True)]
    gate.wait_arrived(len(makers))
    gate.open()
    assert len({place.result() for place in places}) == len(makers)
    return cowns


def anchors(gate: Gate, count: int = 2) -> list[Cown[Any]]:
    """Cowns whose values live in a worker each, and stay there. Opens the gate."""
    return live_apart(gate, *[threading.Lock] * count)


def beside(anchor: Cown[Any], *cowns: Any) -> Callable[[Callable[..., Any]], Cown[Any]]:
    """As `when(*cowns)`, in the worker where the anchor lives."""

    def run(anchor, *rest):
        *cowns, function = rest
        return function(*cowns)

    return lambda function: whencall(run, [anchor, *cowns], [function])


def counts() -> collections.Counter[str]:
    """What all workers together have counted since they were started."""
    total: collections.Counter[str] = collections.Counter()
    for worker in quiesce(stats=True):
        total.update(worker)
    return total


def counts_now() -> collections.Counter[str]:
    """The same while behaviors are pending."""
    total: collections.Counter[str] = collections.Counter()
    for worker in _bocpy._stats():
        total.update(worker)
    return total


def fetched(before: collections.Counter[str], after: collections.Counter[str] | None = None) -> int:
    """How many values other interpreters have got since then."""
    grown = (after or counts()) - before
    return grown["fetched_by_mail"] + grown["fetched_by_visit"] - grown["not_fetched"]


class Loud:
    """Tells a pipe when it goes."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe

    def __del__(self) -> None:
        os.write(self.pipe, b"x")


class LoudBytes(bytearray):
    """The same, and is large in itself."""

    pipe = -1

    def __del__(self) -> None:
        os.write(self.pipe, b"x")


def heard(pipe: int, count: int = 1, timeout: float = DEADLINE) -> int:
    """How many bytes came through the pipe until there were `count` or the time had run out."""
    seen = 0
    while seen < count and select.select([pipe], [], [], timeout)[0]:
        seen += len(os.read(pipe, count - seen))
    return seen
