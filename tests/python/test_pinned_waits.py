"""Pinned behaviors while the main thread waits: failures, scopes, batches, output, and waking up."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from boc_testing import DEADLINE, Gate, caught
from bocpy import Cown, PinnedCown, batch, hold, quiesce, scope, wait, when, whencall


def test_failures_stay_in_the_result() -> None:
    pinned = PinnedCown([])

    @when(pinned)
    def fail(pinned: PinnedCown[list[int]]) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail.result(DEADLINE)

    @when(fail)
    def see(fail: Cown[Any]) -> tuple[bool, str]:
        return fail.exception, type(fail.value).__name__

    assert see.result(DEADLINE) == (True, "ValueError")


def test_an_unseen_failure_is_reported(unraisable: list[str]) -> None:
    pinned = PinnedCown([])

    @when(pinned)
    def fail(pinned: PinnedCown[list[int]]) -> None:
        raise ValueError("nobody looks")

    del fail
    wait(DEADLINE)
    assert len(unraisable) == 1
    assert "nobody looks" in unraisable[0]


def test_waits_inside_are_refused() -> None:
    pinned = PinnedCown([])

    @when(pinned)
    def ask(pinned: PinnedCown[list[int]]) -> list[str]:
        cown = Cown(1)
        return [caught(f)[0] for f in (quiesce, wait, cown.result, cown.acquire, pinned.result)]

    assert ask.result(DEADLINE) == ["RuntimeError"] * 5


def test_scopes_and_batches_of_main_are_not_those_of_the_behavior() -> None:
    pinned = PinnedCown([])
    with scope() as outer, batch():

        @when(pinned)
        def first(pinned: PinnedCown[list[int]]) -> None:
            pinned.value.append(1)

            @when(pinned)
            def nested(pinned: PinnedCown[list[int]]) -> None:
                pinned.value.append(2)

        @when(pinned)
        def second(pinned: PinnedCown[list[int]]) -> None:
            with scope():  # left open by what follows
                pinned.value.append(3)

    assert pinned.value == [1, 3, 2]
    assert caught(outer.when)[0] in ("", "RuntimeError")
    with pytest.raises(BaseException) as failed, scope():

        @when(pinned)
        def fail(pinned: PinnedCown[list[int]]) -> None:
            raise ValueError

    assert type(failed.value).__name__ == "ExceptionGroup"


def test_a_cancelled_scope_drops_them() -> None:
    pinned = PinnedCown([])
    with pytest.raises(KeyError), scope():

        @when(pinned)
        def never(pinned: PinnedCown[list[int]]) -> None:
            pinned.value.append(1)

        raise KeyError
    assert pinned.value == []
    assert caught(never.result, DEADLINE)[0] == "CancelledError"


def again(pinned: PinnedCown[list[int]], stop: Cown[bool]) -> None:
    pinned.value[0] += 1
    if not stop.value:
        whencall(again, [pinned, stop])


def test_waits_end_in_the_midst_of_endless_pinned_work() -> None:
    pinned = PinnedCown([0])
    stop = Cown(False)
    whencall(again, [pinned, stop])

    @when()
    def other() -> int:
        return 5

    assert other.result(DEADLINE) == 5
    with pytest.raises(TimeoutError):
        quiesce(0.05)
    with stop:
        stop.value = True
    quiesce(DEADLINE)
    assert pinned.value[0] > 1


def test_a_wait_on_main_wakes_when_pinned_work_arrives(gate: Gate) -> None:
    """With the main thread asleep in result(), with, hold and scope exits."""
    pinned = PinnedCown([])

    def work(gate: Gate) -> Cown[Any]:
        cown = Cown(0)

        @when(cown)
        def slow(cown: Cown[int]) -> None:
            gate.pass_through()

        @when(cown, pinned)
        def then(cown: Cown[int], pinned: PinnedCown[list[int]]) -> int:
            pinned.value.append(1)
            return 1

        return then

    opener = threading.Timer(0.05, gate.open)
    opener.start()
    assert work(gate).result(DEADLINE) == 1
    with work(gate) as value:
        assert value == 1
    with hold(work(gate), timeout=DEADLINE):
        pass
    with scope():
        work(gate)
    opener.join()
    assert len(pinned.value) == 4


def test_output_of_workers_comes_before_that_of_the_pinned_behavior(capsys: pytest.CaptureFixture[str]) -> None:
    pinned = PinnedCown([])
    cown = Cown(0)

    @when(cown)
    def first(cown: Cown[int]) -> None:
        print("first")

    @when(cown, pinned)
    def second(cown: Cown[int], pinned: PinnedCown[list[int]]) -> None:
        print("second")

    @when(cown)
    def third(cown: Cown[int]) -> None:
        print("third")

    wait(DEADLINE)
    assert capsys.readouterr().out == "first\nsecond\nthird\n"
