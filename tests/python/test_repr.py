"""`repr(cown)` tells the state and never asks the value."""

from __future__ import annotations

import re

from boc_testing import Gate, run_threads
from bocpy import Cown, hold, quiesce, read, start, when


class Loud:
    def __repr__(self) -> str:
        raise AssertionError("the value was asked")

    __str__ = __repr__


def test_idle() -> None:
    cown = Cown(1)
    assert "Cown" in repr(cown) and "idle" in repr(cown)


def test_str_is_the_same() -> None:
    cown = Cown(1)
    assert str(cown) == repr(cown) == f"{cown}"


def test_two_cowns_can_be_told_apart() -> None:
    a, b = Cown(1), Cown(1)
    assert repr(a) != repr(b)


def test_the_value_is_not_asked() -> None:
    cown = Cown(Loud())
    assert "idle" in repr(cown)
    with cown:
        assert "held" in repr(cown)

    @when(cown)
    def look(cown):
        return repr(cown)

    assert "held" in look.result()


def test_held_by_a_thread() -> None:
    cown = Cown(1)
    with cown:
        assert "held by" in repr(cown)
        assert "held by" in run_threads(lambda: repr(cown))[0]
    with hold(read(cown)):
        assert "held by" in repr(cown)
    assert "idle" in repr(cown)


def test_held_by_a_behavior_and_queued(gate: Gate) -> None:
    start(1)
    cown = Cown(1)
    when(cown)(lambda cown: gate.pass_through())
    gate.wait_arrived()
    assert "held by" in repr(cown)
    for _ in range(2):
        when(cown)(lambda cown: None)
    assert re.search(r"queued 2\b", repr(cown)), repr(cown)
    gate.open()
    quiesce()
    assert "idle" in repr(cown) and "queued" not in repr(cown)


def test_a_result_that_is_not_there_yet(gate: Gate) -> None:
    start(1)
    result = when()(lambda: gate.pass_through())
    gate.wait_arrived()
    assert "idle" not in repr(result)
    gate.open()
    quiesce()
    assert "idle" in repr(result)


def test_failed() -> None:
    result = when()(lambda: 1 // 0)
    quiesce()
    assert "failed" in repr(result)
    with result:
        assert "failed" in repr(result)
        result.value = 1
    assert "failed" not in repr(result)


def test_a_repr_is_no_look_at_a_failure(unraisable: list[str]) -> None:
    result = when()(lambda: 1 // 0)
    quiesce()
    assert "failed" in repr(result)
    del result
    quiesce()
    assert len(unraisable) == 1


def test_a_repr_while_the_state_changes(two_workers: None) -> None:
    cown = Cown(0)

    def schedule():
        for _ in range(100):
            when(cown)(lambda cown: None)

    def show():
        return {repr(cown).split()[0] for _ in range(300)}

    _, names = run_threads(schedule, show)
    assert len(names) == 1


def test_a_repr_inside_containers() -> None:
    cown = Cown(None)
    cown_in_itself = Cown([cown])
    with cown_in_itself as value:
        value.append(cown_in_itself)
        assert "Cown" in repr(value)
        value.clear()
