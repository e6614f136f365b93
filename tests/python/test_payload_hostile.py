"""Values that are hard to move: raising, slow, scheduling, dying, cyclic, huge, deep and strange ones.

Each goes around among two to eight workers; whatever it does, everything ends and nothing is lost.
"""

from __future__ import annotations

import collections
import functools
import math
import sys
import time
from dataclasses import dataclass
from typing import Any

import pytest
from boc_testing import DEADLINE, HELPERS, Gate, caught, free_memory, output_of
from bocpy import Cown, TransferError, quiesce, read, start, wait, when
from payload_testing import MOVING, anchors, beside, here, live_apart

WORKERS = pytest.mark.parametrize("workers", [2, 4, 8])


@dataclass
class Account:
    balance: int


class Words(list):
    pass


class Refusing:
    """Cannot be pickled; what it raises is up to it."""

    def __init__(self, error=ValueError) -> None:
        self.error, self.n = error, 0

    def __reduce__(self):
        raise self.error("not me")


class Broken:
    """Can be pickled, but not made again."""

    def __reduce__(self):
        return Broken, (1, 2, 3)


class Slow:
    def __init__(self, n: int = 0) -> None:
        self.n = n

    def __reduce__(self):
        time.sleep(0.005)
        return Slow, (self.n,)


@pytest.mark.parametrize("make", [Refusing, lambda: Refusing(RecursionError), lambda: Refusing(MemoryError), Broken])
@WORKERS
def test_values_that_refuse(make, workers: int, gate: Gate) -> None:
    """They stay with their behaviors, or those who cannot have them get the error. Nothing hangs."""
    start(workers)
    places, cown = anchors(gate, workers), Cown(None)
    when(cown)(lambda cown: setattr(cown, "value", make())).result()
    uses = [when(cown)(lambda cown: type(cown.value).__name__) for _ in range(20)]
    uses += [when(read(cown))(lambda cown: type(cown.value).__name__) for _ in range(20)]
    uses += [beside(place, cown)(lambda cown: caught(lambda: cown.value)[0]) for place in places]
    outcomes = {caught(lambda use=use: use.result(timeout=DEADLINE)) for use in uses}
    allowed = {"", "TransferError", "MemoryError"}
    assert {name for name, _ in outcomes} <= allowed
    assert caught(lambda: cown.result(timeout=DEADLINE))[0] in allowed
    when(cown)(lambda cown: setattr(cown, "value", [1])).result(timeout=DEADLINE)
    assert cown.result() == [1]


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_two_that_refuse_in_different_workers(error, two_workers: None, gate: Gate) -> None:
    """A behavior that needs both gets one of them and an error."""
    left, right = live_apart(gate, *[functools.partial(Refusing, error)] * 2)
    both = when(left, right)(lambda *cowns: sorted(caught(lambda c=c: c.value)[0] for c in cowns))
    assert both.result(timeout=DEADLINE) == ["", "TransferError" if MOVING else ""]


@WORKERS
def test_values_that_are_slow(workers: int, gate: Gate) -> None:
    start(workers)
    places, cowns = anchors(gate, workers), [Cown(Slow()) for _ in range(4)]

    def add(*cowns):
        for cown in cowns:
            cown.value.n += 1

    for i in range(60):
        beside(places[i % workers], cowns[i % 4], cowns[(i + 1) % 4])(add)
        when(read(cowns[i % 4]))(lambda cown: cown.value.n)
    quiesce(timeout=DEADLINE)
    assert [cown.result().n for cown in cowns] == [30] * 4


class Scheduling:
    """Schedules a behavior, makes cowns and looks at others whenever it is pickled."""

    def __init__(self, log, n: int = 0) -> None:
        self.log, self.n = log, n

    def __reduce__(self):
        when(self.log)(lambda log: log.value.append(1))
        Cown([2])
        return Scheduling, (self.log, self.n)


class Asking:
    """Asks for a result whenever it is pickled: an error or an answer, never a hang."""

    def __init__(self, other, seen: int = 0) -> None:
        self.other, self.seen = other, seen

    def __reduce__(self):
        caught(lambda: self.other.result(timeout=0.5))
        caught(lambda: quiesce(timeout=0.01))
        return Asking, (self.other, self.seen)


@WORKERS
def test_values_that_schedule_when_they_move(workers: int, gate: Gate) -> None:
    start(workers)
    places, log = anchors(gate, workers), Cown([])
    cown = Cown(Scheduling(log))
    for i in range(40):
        beside(places[i % workers], cown)(lambda cown: setattr(cown.value, "n", cown.value.n + 1))
    assert cown.result().n == 40
    quiesce(timeout=DEADLINE)
    assert set(log.result()) <= {1}


def test_values_that_ask_when_they_move(two_workers: None, gate: Gate) -> None:
    places, other = anchors(gate), Cown([1])
    cown = Cown(Asking(other))
    for i in range(6):
        beside(places[i % 2], cown, other)(lambda cown, other: setattr(cown.value, "seen", len(other.value)))
        beside(places[i % 2], cown)(lambda cown: cown.value.seen)
    quiesce(timeout=DEADLINE)
    assert cown.result(timeout=DEADLINE).seen == 1


WAITING = """
import sys
import bocpy
from boc_testing import Gate, caught
from bocpy import Cown, read, start, when
from payload_testing import anchors, beside

class Waiting:
    def __init__(self, cown, seen=None):
        self.cown, self.seen = cown, seen
    def __reduce__(self):
        if "{call}" in ("wait", "quiesce"):
            return Waiting, (self.cown, caught(bocpy.{call}))
        return Waiting, (self.cown, caught(lambda: getattr(self.cown, "{call}")()))

start(2)
left, right = anchors(Gate.make())
cown = Cown(None)
beside(left, cown)(lambda cown: setattr(cown, "value", Waiting(cown))).result()
if "{who}" == "writer":
    beside(right, cown)(lambda cown: cown.value.seen).result()
elif "{who}" == "reader":
    beside(right, read(cown))(lambda cown: cown.value.seen).result()
elif "{who}" == "result":
    cown.result()
else:
    with cown:
        pass
bocpy.wait()
print("end")
"""


@pytest.mark.parametrize("call", ["result", "acquire", "wait", "quiesce"])
@pytest.mark.parametrize("who", ["writer", "reader", "result", "with"])
@pytest.mark.backend("subinterp", reason="on threads nothing is pickled while a behavior holds it")
def test_values_that_wait_when_they_move(call: str, who: str) -> None:
    """For their own cown or for everything: that would wait for itself, so it is an error, as in a behavior."""
    assert output_of(WAITING.format(call=call, who=who), env=HELPERS) == "end\n"


class Dying:
    """Schedules when it goes, wherever that is."""

    def __init__(self, log) -> None:
        self.log = log

    def __del__(self) -> None:
        when(self.log)(lambda log: setattr(log, "value", log.value + 1))


@WORKERS
def test_values_that_schedule_when_they_go(workers: int, gate: Gate) -> None:
    start(workers)
    places, log = anchors(gate, workers), Cown(0)

    def make(cown):
        cown.value = [Dying(log) for _ in range(3)]

    for i in range(20):
        cown = Cown(None)
        beside(places[i % workers], cown)(make)
        if i % 2:
            when(cown)(lambda cown: setattr(cown, "value", None))
    del cown
    wait(timeout=DEADLINE)
    wait(timeout=DEADLINE)  # what the first one has let go of may have scheduled
    assert log.result() >= 30


@WORKERS
def test_values_that_hold_their_own_cowns(workers: int, gate: Gate) -> None:
    start(workers)
    places, cowns = anchors(gate, workers), [Cown(None) for _ in range(6)]

    def tie(a, b):
        a.value, b.value = {"self": a, "other": b, "n": [0]}, [b, {"a": a}]

    def use(a):
        value = a.value
        if isinstance(value, dict):
            value["n"].append(here())
            return value["self"] == a
        return value[0] == a

    for i in range(0, 6, 2):
        beside(places[i % workers], cowns[i], cowns[i + 1])(tie)
    uses = [beside(places[i * 5 % workers], cowns[i % 6])(use) for i in range(60)]
    assert all(result.result() for result in uses)
    assert cowns[0].result()["self"] == cowns[0] and len(cowns[0].result()["n"]) == 11


@pytest.mark.skipif(free_memory() < 2**30, reason="needs 1 GB of free memory")
@pytest.mark.parametrize("kind", [bytes, bytearray, lambda n: [bytes(n // 2), bytearray(n // 2)]])
def test_a_hundred_megabytes(kind, two_workers: None, gate: Gate) -> None:
    places, cown = anchors(gate), Cown(kind(100_000_000))

    def size(cown):
        value = cown.value
        return sum(map(len, value)) if isinstance(value, list) else len(value)

    for place in places * 2:
        assert beside(place, cown)(size).result(timeout=DEADLINE) == 100_000_000
    assert beside(places[0], read(cown))(size).result(timeout=DEADLINE) == 100_000_000
    assert len(cown.result(take=True)) in (2, 100_000_000)


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def depth_of(value) -> int:
    depth = 0
    while value:
        value, depth = value[0], depth + 1
    return depth


@pytest.mark.parametrize("depth", [500, 10_000, 200_000])
def test_deep_nesting(depth: int, two_workers: None, gate: Gate) -> None:
    """It moves, or it stays and who asks is told. Nothing crashes."""
    left, right = anchors(gate)
    cown = Cown(None)
    beside(left, cown)(lambda cown: setattr(cown, "value", nested(depth))).result()
    assert beside(left, cown)(lambda cown: depth_of(cown.value)).result() == depth
    for place in (right, left):
        name, text = caught(beside(place, cown)(lambda cown: depth_of(cown.value)).result)
        assert (name, text) == ("", str(depth)) or (name == "TransferError" and depth > 500)
    name, text = caught(cown.result)
    assert not name or (name == "TransferError" and depth > 500)
    try:
        given = Cown(nested(depth))
    except TransferError:
        assert depth > 500
    else:
        assert when(given)(lambda given: depth_of(given.value)).result() == depth


def strange() -> list[Any]:
    shared, loop = [1], [0]
    loop.append(loop)
    twice = bytearray(b"x" * 5000)
    words = Words("ab")
    words.label = shared  # type: ignore[attr-defined]
    return [
        *[shared, shared, loop, twice, {"t": twice}, words],
        *[2**5000, -(2**4999), math.nan, -0.0, "\ud800\udfff", "\x00", b"\x00" * 5],
        *[(), [], {}, set(), frozenset(), "", b"", bytearray()],
        *[collections.OrderedDict(b=1, a=2), collections.deque([1], 2), range(3), slice(1, None), ..., NotImplemented],
        *[sys.maxsize, -sys.maxsize - 2, complex(-0.0, math.inf), Account(1), Account, int],
    ]


def check_strange(value) -> str:
    a, b, loop, twice, holder, words = value[:6]
    assert a is b and a == [1] and loop[1] is loop and holder["t"] is twice and type(twice) is bytearray
    assert type(words) is Words and words == ["a", "b"] and words.label is a
    assert math.isnan(value[8]) and math.copysign(1, value[9]) == -1
    assert [type(item) for item in value] == [type(item) for item in strange()]
    return repr(value[6:])


def test_strange_values_survive(two_workers: None, gate: Gate) -> None:
    cown, places, expected = Cown(strange()), anchors(gate), check_strange(strange())
    for place in places * 2:
        assert beside(place, cown)(lambda cown: check_strange(cown.value)).result() == expected
        assert beside(place, read(cown))(lambda cown: check_strange(cown.value)).result() == expected
        assert check_strange(cown.result()) == expected
    with cown as held:
        assert check_strange(held) == expected
