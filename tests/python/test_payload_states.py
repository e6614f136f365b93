"""Every way in which a cown's value changes its state: inline, resident in an interpreter, encoded.

On threads nothing of it happens, and the programs give the same results. What cannot be carried, and what is dropped:
test_payload_bounds.py. Readers and restarts: test_payload_readers.py.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable

import pytest
from boc_testing import DEADLINE, Gate, run_threads
from bocpy import Cown, quiesce, read, start, wait, when, whencall
from payload_testing import MOVING, anchors, beside, counts, counts_now, elsewhere, fetched, here, live_apart

ATOMS = [
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**62,
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) - 1,
    1.5,
    -0.0,
    math.inf,
    5e-324,
    "",
    "a",
    "é",
    "𝄞",
    "\x00",
    "\udc80",
    b"",
    b"\x00",
    *["x" * n for n in (6, 7, 8, 14, 15, 16, 22, 23, 24, 31, 32, 63, 64, 255, 256)],
    *[b"y" * n for n in (6, 7, 8, 14, 15, 16, 22, 23, 24, 31, 32, 63, 64, 255, 256)],
]


def name(value: object) -> str:
    return f"{type(value).__name__}-{len(value)}" if isinstance(value, (str, bytes)) else repr(value)


@pytest.mark.parametrize("value", ATOMS, ids=name)
def test_an_atom_goes_everywhere(value: object, two_workers: None, gate: Gate) -> None:
    """Main → a worker → another → back to main, read and assigned, and as a result."""
    cown = Cown(value)
    left, right = anchors(gate)

    def pass_on(cown):
        cown.value = cown.value
        return cown.value

    for place in (left, right):
        seen = beside(place, cown)(pass_on).result()
        assert (type(seen), repr(seen)) == (type(value), repr(value))
        seen = beside(place, read(cown))(lambda cown: cown.value).result()
        assert (type(seen), repr(seen)) == (type(value), repr(value))
    assert repr(cown.result()) == repr(value)
    with cown as held:
        assert repr(held) == repr(value)
    wait()
    assert repr(cown.value) == repr(value)
    assert repr(cown.unwrap()) == repr(value)


STEPS = [1, [1], [1, 2], "s", "l" * 1000, None, {"a": 1}, 2.5, b"b" * 5000, b"", bytearray(b"c"), 2**70, (), [[]], 0]


@pytest.mark.parametrize("seed", range(3))
def test_a_value_that_changes_its_kind(seed: int, two_workers: None, gate: Gate) -> None:
    """Atoms become containers and atoms again; each is replaced by one worker and seen by the other."""
    places = anchors(gate)
    cown = Cown(None)

    def replace(cown, new):
        old, cown.value = cown.value, new
        return old

    old = None
    for turn, new in enumerate(STEPS * 2):
        place = places[(turn >> seed) % 2]
        assert beside(place, cown)(lambda cown, new=new: replace(cown, new)).result() == old
        assert cown.result() == new
        old = new


def test_main_and_workers_take_turns(two_workers: None) -> None:
    cown = Cown([0])
    for turn in range(1, 30):
        when(cown)(lambda cown: cown.value.append(len(cown.value)))
        with cown as held:
            assert held == list(range(2 * turn))
            held.append(len(held))
        assert cown.result() == list(range(2 * turn + 1))


def test_a_value_that_stays_is_never_encoded(gate: Gate) -> None:
    start(1)
    cown = Cown(None)

    @when(cown)
    def make(cown):
        cown.value = [0] * 10_000

    make.result()
    before = counts()
    for _ in range(200):
        when(cown)(lambda cown: cown.value.append(0))
    after = counts()
    if MOVING:
        grown = after - before
        assert grown["resident_hits"] >= 200
        assert grown["fetched_bytes"] == grown["fetched_by_mail"] == grown["fetched_by_visit"] == 0
    assert len(cown.result()) == 10_200


# fetched by another worker -------------------------------------------------------------------------------------------


def test_from_a_parked_worker(two_workers: None, gate: Gate) -> None:
    left, right = anchors(gate)
    cown = Cown(None)

    def make(cown):
        cown.value = {"made": here(), "data": list(range(1000))}

    beside(left, cown)(make).result()
    before = counts()

    def use(cown):
        return elsewhere(cown.value["made"]), sum(cown.value["data"])

    assert beside(right, cown)(use).result() == (True, 499500)
    after = counts()
    if MOVING:
        assert fetched(before, after) == 1
        assert 1000 < (after - before)["fetched_bytes"] < 100_000
    assert beside(right, cown)(use).result() == (True, 499500)
    assert fetched(after) == 0


def busy_waiting(gate: Gate) -> None:
    """Arrive and run Python code until the gate opens."""
    gate.arrive()
    end = time.monotonic() + DEADLINE
    while not select.select([gate.opened_in], [], [], 0)[0]:
        if time.monotonic() > end:
            raise TimeoutError("nobody opened the gate")


@pytest.mark.parametrize("how", [Gate.pass_through, busy_waiting])
@pytest.mark.parametrize("size", [10, 100_000])
def test_from_a_busy_worker(how, size: int, two_workers: None, gate: Gate, new_gate) -> None:
    """Its worker is in the middle of a long behavior: somebody gets the value all the same."""
    left, right = anchors(gate)
    cown, later = Cown(None), new_gate()

    def make(cown):
        cown.value = [here()] * size

    beside(left, cown)(make).result()
    long = beside(left)(lambda: how(later))
    later.wait_arrived()

    def use(cown):
        cown.value.append(1)
        return elsewhere(cown.value[0]), len(cown.value)

    # Once where it has to be elsewhere, and once more where any worker will do.
    assert beside(right, cown)(use).result(timeout=DEADLINE) == (True, size + 1)
    assert when(cown)(use).result(timeout=DEADLINE) == (True, size + 2)
    later.open()
    long.result()


@pytest.mark.parametrize("size", [10, 100_000])
def test_behaviors_do_not_wait_for_a_worker_that_is_stuck(size: int, two_workers: None, gate: Gate, new_gate) -> None:
    """What lies in its queue is stolen, the behaviors with large values too."""
    left, _ = anchors(gate)
    cowns, later = [Cown(None) for _ in range(8)], new_gate()
    for cown in cowns:
        beside(left, cown)(lambda cown: setattr(cown, "value", [here()] * size)).result()
    long = beside(left)(later.pass_through)
    later.wait_arrived()
    uses = [when(cown)(lambda cown: elsewhere(cown.value[0])) for cown in cowns]
    assert [use.result(timeout=DEADLINE) for use in uses] == [True] * 8
    later.open()
    long.result()


def test_workers_that_ask_each_other(two_workers: None, gate: Gate) -> None:
    """Each needs what lives with the other at the same moment."""
    left, right = anchors(gate)
    cowns = [Cown([i]) for i in range(4)]

    def note(*cowns):
        for cown in cowns:
            cown.value.append(0)

    for _ in range(200):
        beside(left, cowns[0], cowns[1])(note)
        beside(right, cowns[2], cowns[3])(note)
        beside(left, cowns[2])(note)
        beside(right, cowns[0])(note)
    quiesce(timeout=DEADLINE)
    assert [len(cown.result()) for cown in cowns] == [401, 201, 401, 201]


def run_on(anchor: Cown[object], until: Gate) -> None:
    """One short behavior after the other, so that the worker neither sleeps nor is in one of them for long."""
    if not select.select([until.opened_in], [], [], 0)[0]:
        whencall(run_on, [anchor], [until])


@pytest.mark.backend("subinterp", reason="counts fetches, and on threads nothing is fetched")
def test_between_two_behaviors_of_a_worker_at_work(two_workers: None, new_gate: Callable[[], Gate]) -> None:
    """Mail: a worker that goes from one short behavior to the next hands values out itself."""
    asking, working = anchors(new_gate())
    cown, before, until = Cown([0]), counts_now(), new_gate()
    end = time.monotonic() + DEADLINE
    whencall(run_on, [working], [until])

    def note(cown):
        cown.value[0] += 1

    turns = 0
    while (counts_now() - before)["fetched_by_mail"] == 0:
        assert time.monotonic() < end, "never served by mail"
        beside(working, cown)(note).result()
        beside(asking, cown)(note).result()
        turns += 2
    until.open()
    assert cown.result() == [turns]


def test_values_of_eight_workers_meet(gate: Gate) -> None:
    start(8)
    cowns = live_apart(gate, *[lambda: [here()]] * 8)
    before = counts()

    @when(cowns)
    def meet(cowns):
        seen = {cown.value[0] for cown in cowns}
        for cown in cowns:
            cown.value.append(len(seen))
        return here() in seen

    assert meet.result()
    assert fetched(before) == (7 if MOVING else 0)
    assert [cown.result()[1] for cown in cowns] == [8] * 8


# main as receiver ----------------------------------------------------------------------------------------------------


def with_it(cown):
    with cown as value:
        return value


def after_wait(cown):
    wait()
    return cown.value


RECEIVE = {
    "result": lambda cown: cown.result(),
    "take": lambda cown: cown.result(take=True),
    "with": with_it,
    "after wait": after_wait,
    "unwrap": lambda cown: quiesce() or cown.unwrap(),
}


@pytest.mark.parametrize("how", RECEIVE)
@pytest.mark.parametrize("state", ["parked", "busy", "fresh"])
def test_main_receives(how: str, state: str, two_workers: None, gate: Gate, new_gate) -> None:
    left, _ = anchors(gate)
    cown, later = Cown([1, {"a": 2}]), new_gate()
    if state != "fresh":
        beside(left, cown)(lambda cown: cown.value.append("there")).result()
    if state == "busy" and how not in ("after wait", "unwrap"):
        beside(left)(later.pass_through)
        later.wait_arrived()
    assert RECEIVE[how](cown) == [1, {"a": 2}] + ["there"] * (state != "fresh")
    later.open()


def test_what_a_hold_changes_is_seen(two_workers: None, gate: Gate) -> None:
    left, right = anchors(gate)
    cown = Cown([])
    for place in (left, right, left):
        beside(place, cown)(lambda cown: cown.value.append("worker")).result()
        with cown as held:
            held.append("main")
    assert beside(right, cown)(lambda cown: len(cown.value)).result() == 6
    assert cown.result() == ["worker", "main"] * 3


def test_the_window_after_wait(two_workers: None, gate: Gate) -> None:
    """One object as long as the window is open; the next behavior sees what was done to it."""
    left, _ = anchors(gate)
    cown, other = Cown([1]), Cown([])
    beside(left, cown)(lambda cown: cown.value.append(2)).result()
    for turn in range(3):
        wait()
        value = cown.value
        assert value == [1, 2, *["main", "worker"] * turn]
        assert cown.value is value
        value.append("main")
        assert cown.value is value and value[-1] == "main"
        start(2)
        assert when(other, cown)(lambda other, cown: cown.value.append("worker") or cown.value[-2]).result() == "main"
    assert cown.result() == [1, 2, *["main", "worker"] * 3]


def test_threads_look_in_the_window() -> None:
    """All of them get the same object, also where they are the first ones to ask for it."""
    for _ in range(30):
        start(2)
        cown = Cown(None)
        when(cown)(lambda cown: setattr(cown, "value", [1] * 1000)).result()
        wait()
        seen = run_threads(*[lambda cown=cown: cown.value] * 4)
        assert all(value is cown.value for value in seen)


def test_values_assigned_in_the_window(two_workers: None) -> None:
    cown = Cown([1])
    when(cown)(lambda cown: cown.value.append(2))
    wait()
    given = [5]
    cown.value = given
    assert cown.value == [5]
    cown.value.append(6)
    assert when(cown)(lambda cown: [*cown.value, 7]).result() == [5, 6, 7]
