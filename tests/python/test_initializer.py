"""start(initializer=f): each worker calls f once before its first behavior of that start."""

from __future__ import annotations

import threading

import pytest
from boc_testing import Gate
from bocpy import Cown, start, wait, when


def fail() -> None:
    raise ValueError("not today")


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_each_worker_calls_it_once(workers: int, gate: Gate) -> None:
    start(workers, initializer=gate.arrive)
    gate.wait_arrived(workers)
    assert when()(lambda: "ran").result() == "ran"
    assert not gate.anybody_arrived()


def test_before_the_first_behavior() -> None:
    start(2, initializer=lambda: setattr(threading, "bocpy_was_here", True))
    seen = [when()(lambda: getattr(threading, "bocpy_was_here", False)) for _ in range(20)]
    assert all(each.result() for each in seen)
    wait()
    if hasattr(threading, "bocpy_was_here"):  # on threads the module is main's too
        del threading.bocpy_was_here


def test_later_starts_do_not_call_it(gate: Gate) -> None:
    start(1, initializer=gate.arrive)
    gate.wait_arrived()
    wait()
    start(1)
    wait()
    assert when()(lambda: 1).result() == 1
    assert not gate.anybody_arrived()


@pytest.mark.parametrize("again", [1, 3])
def test_one_that_fails(again: int) -> None:
    """Nothing runs then; the next start is as if there had been none."""
    for _ in range(3):
        with pytest.raises(RuntimeError, match=r"initializer.*ValueError: not today"):
            start(2, initializer=fail)
    start(again)
    assert when()(lambda: "ran").result() == "ran"


def test_one_that_schedules() -> None:
    total = Cown(0)

    def schedule() -> None:
        @when(total)
        def add(total):
            total.value += 1

    start(2, initializer=schedule)
    assert when(total)(lambda total: None).result() is None
    wait()
    assert total.value == 2


def test_what_is_no_initializer() -> None:
    with pytest.raises(TypeError, match="initializer"):
        start(1, initializer=3)  # type: ignore[arg-type]
    start(1)
    with pytest.raises(RuntimeError, match="already running"):
        start(1, initializer=fail)
