"""Values that go along with the behavior that needs them next, when that lives with another worker.

They do if encoding them is quick and runs no Python code; all else is fetched by the one who needs it. On threads
nothing of it happens, and the programs give the same results.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from boc_testing import FREE_THREADED, Gate
from bocpy import Cown, read, when
from payload_testing import MOVING, anchors, beside, counts, fetched, heard, here


def in_turn(places: list[Cown[Any]], cown: Cown[Any], steps: int, step: Callable[[Cown[Any]], object]) -> list[Any]:
    """The results of `steps` behaviors on the cown, each made ready by the one before it in the other worker."""
    with cown:  # so that all are queued before the first one runs
        results = [beside(places[i % 2], cown)(step) for i in range(steps)]
    return [result.result() for result in results]


class Custom:
    """Is pickled."""

    def __init__(self) -> None:
        self.n = 0


def grow_list(cown):
    cown.value[0] += 1
    return cown.value[0]


def grow_dict(cown):
    cown.value["n"] += 1
    return cown.value["n"]


def grow_object(cown):
    cown.value.n += 1
    return cown.value.n


def grow_bytes(cown):
    cown.value += b"x"
    return len(cown.value) - (1 << 20)


def grow_tuple(cown):
    cown.value = (cown.value[0] + 1, *cown.value[1:])
    return cown.value[0]


def grow_set(cown):
    cown.value.add(len(cown.value))
    return len(cown.value)


@pytest.mark.parametrize(
    ("value", "grow", "goes_along"),
    [
        ([0], grow_list, True),
        ([0, "text", b"bytes", 1.5, None, {1: {2: (3,)}}], grow_list, True),
        ({"n": 0, "more": list(range(100))}, grow_dict, True),
        ((0, [1], "two"), grow_tuple, True),
        (set(), grow_set, True),
        (bytes(1 << 20), grow_bytes, not FREE_THREADED),  # changes hands without a copy where objects can
        ([0] * 20_000, grow_list, False),  # takes its time
        (Custom(), grow_object, False),
        ([0, Custom()], grow_list, False),
    ],
    ids=["list", "nested", "dict", "tuple", "set", "bytes", "large list", "object", "list with an object"],
)
def test_what_goes_along(value, grow, goes_along: bool, two_workers: None, gate: Gate) -> None:
    places = anchors(gate)
    cown = Cown(value)
    before = counts()
    assert in_turn(places, cown, 20, grow) == list(range(1, 21))
    after = counts()
    if not MOVING:
        return
    if goes_along:
        assert (after - before)["sent_along"] == 19
        assert fetched(before, after) == 0
    else:
        assert (after - before)["sent_along"] == 0
        assert fetched(before, after) == 19


def test_what_is_shared_and_cyclic_inside(two_workers: None, gate: Gate) -> None:
    shared: list[Any] = [0]
    value: list[Any] = [shared, {"again": shared}]
    value.append(value)
    cown = Cown(value)

    def step(cown):
        first, second, itself = cown.value
        assert itself is cown.value and second["again"] is first
        first[0] += 1
        return first[0]

    assert in_turn(anchors(gate), cown, 10, step) == list(range(1, 11))


def test_cowns_inside(two_workers: None, gate: Gate) -> None:
    inner = Cown(0)
    cown = Cown([inner])

    def step(cown):
        @when(cown.value[0])
        def count(inner):
            inner.value += 1

    in_turn(anchors(gate), cown, 10, step)
    del cown
    assert when(inner)(lambda inner: inner.value).result() == 10


def test_readers_leave_it_where_it_is(two_workers: None, gate: Gate) -> None:
    left, right = anchors(gate)
    cown = Cown(None)

    def make(cown):
        cown.value = {"made": here()}

    def look(cown):
        return cown.value["made"]

    with cown:
        made = beside(left, cown)(make)
        seen = [beside(place, read(cown))(look) for place in (right, left) * 5]
        again = beside(left, cown)(lambda cown: cown.value.setdefault("made"))
    made.result()
    assert len({result.result() for result in [*seen, again]}) == 1


# The object may have a weak reference whose callback is user code: that runs in the object's own interpreter, between
# behaviors.
def test_the_object_left_behind_is_dropped_at_home(two_workers: None, gate: Gate, pipe: tuple[int, int]) -> None:
    left, right = anchors(gate)
    reader, writer = pipe
    cown, watch = Cown(None), Cown(None)

    def make(cown):
        cown.value = {1, 2, 3}
        return here()

    def observe(cown, anchor):
        home, told = here(), Cown(None)

        def gone(_):
            os.write(writer, b"x" if here() == home else b"!")
            when(told)(lambda told: None)

        anchor.value = (anchor.value, weakref.ref(cown.value, gone))

    beside(left, cown)(make).result()
    when(cown, left)(observe).result()
    del watch
    with cown:
        beside(left, cown)(lambda cown: None)
        away = beside(right, cown)(lambda cown: sorted(cown.value))
    assert away.result() == [1, 2, 3]
    if MOVING:
        assert heard(reader) == 1


def test_to_and_fro_under_load(two_workers: None, gate: Gate) -> None:
    places = anchors(gate)
    cowns = [Cown({"n": 0, "i": i}) for i in range(20)]
    for turn in range(50):
        for i, cown in enumerate(cowns):
            beside(places[(turn + i) % 2], cown)(grow_dict)
    for i, cown in enumerate(cowns):
        assert cown.result() == {"n": 50, "i": i}
