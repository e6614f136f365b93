"""pump(): its bounds and its errors, and what rises out of it and out of waits."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from boc_testing import DEADLINE, Gate, caught, run_threads
from bocpy import (
    Cown,
    PinnedCown,
    PumpResult,
    pump,
    quiesce,
    scope,
    start,
    wait,
    when,
    whencall,
)
from pinned_testing import append


def fail(pinned: Cown[list[Any]], error: BaseException) -> None:
    pinned.value.append("failed")
    raise error


def test_runs_what_is_ready_and_returns() -> None:
    start()
    assert pump() == PumpResult(0, False, 0) == (0, False, 0)
    pinned = PinnedCown([])
    for i in range(5):
        whencall(append, [pinned], (i,))
    assert pinned.value == []  # nothing runs before the main thread pumps
    result = pump()
    assert isinstance(result, PumpResult)
    assert result == PumpResult(executed=5, deadline_reached=False, raised=0)
    assert pinned.value == [0, 1, 2, 3, 4]
    assert pump() == (0, False, 0)


def test_runs_what_the_behaviors_schedule_too() -> None:
    pinned = PinnedCown([])

    @when(pinned)
    def first(pinned: PinnedCown[list[int]]) -> None:
        pinned.value.append(1)

        @when(pinned)
        def second(pinned: PinnedCown[list[int]]) -> None:
            pinned.value.append(2)

        assert pinned.value == [1]

    assert pump().executed == 2
    assert pinned.value == [1, 2]


def test_max_behaviors() -> None:
    pinned = PinnedCown([])
    for i in range(5):
        whencall(append, [pinned], (i,))
    assert pump(max_behaviors=2) == (2, False, 0)
    assert pump(None, 1) == (1, False, 0)
    assert pump(max_behaviors=10**30) == (2, False, 0)


def test_the_deadline_is_looked_at_after_each_behavior() -> None:
    pinned = PinnedCown(0)

    def again(pinned: PinnedCown[int]) -> None:
        time.sleep(0.002)
        pinned.value += 1
        if pinned.value < 100_000:
            whencall(again, [pinned])

    whencall(again, [pinned])
    executed, deadline_reached, raised = pump(deadline_ms=1)
    assert (executed, deadline_reached, raised) == (1, True, 0)
    assert pump(1, 1) == (1, True, 0)
    pinned.value = 100_000
    assert pump(deadline_ms=(1 << 63) // 1_000_000 - 1) == (1, False, 0)


@pytest.mark.parametrize("name", ["deadline_ms", "max_behaviors"])
@pytest.mark.parametrize("bad", [0, -1, True, False, 1.0, "1", b"1", [], 1 + 0j])
def test_bad_bounds(name: str, bad: Any) -> None:
    pinned = PinnedCown([])
    whencall(append, [pinned], (1,))
    with pytest.raises(TypeError, match=name):
        pump(**{name: bad})
    assert pinned.value == []


def test_a_deadline_beyond_the_clock() -> None:
    start()
    with pytest.raises(OverflowError, match="deadline_ms"):
        pump((1 << 63) // 1_000_000)


def test_without_a_runtime() -> None:
    with pytest.raises(RuntimeError, match=r"bocpy\.start"):
        pump()
    start()
    pump()
    wait(DEADLINE)
    with pytest.raises(RuntimeError, match=r"bocpy\.start"):
        pump()


def test_elsewhere_it_is_refused() -> None:
    start()
    assert run_threads(lambda: caught(pump))[0][0] == "RuntimeError"

    @when()
    def on_a_worker() -> tuple[str, str]:
        return caught(pump)

    kind, message = on_a_worker.result(DEADLINE)
    assert kind == "RuntimeError"
    assert "main interpreter" in message


def test_inside_it_is_refused() -> None:
    pinned = PinnedCown([])

    @when(pinned)
    def nested(pinned: PinnedCown[list[int]]) -> tuple[str, str]:
        return caught(pump)

    pump()
    kind, message = nested.result(DEADLINE)
    assert kind == "RuntimeError"
    assert "not reentrant" in message


def test_failures_are_counted() -> None:
    pinned = PinnedCown([])
    failed = whencall(fail, [pinned], (ValueError("no"),))
    whencall(append, [pinned], (1,))
    assert pump() == (2, False, 1)
    with pytest.raises(ValueError, match="no"):
        failed.result()
    assert pinned.value == ["failed", 1]


def test_raise_on_error_stops_at_the_first(unraisable: list[str]) -> None:
    pinned = PinnedCown([])
    whencall(fail, [pinned], (ValueError("first"),))
    second = whencall(fail, [pinned], (KeyError("second"),))
    whencall(append, [pinned], (1,))
    with pytest.raises(ValueError, match="first"):
        pump(raise_on_error=True)
    assert pinned.value == ["failed"]
    assert pump() == (2, False, 1)
    with pytest.raises(KeyError):
        second.result()
    wait(DEADLINE)
    assert [text for text in unraisable if "first" in text] == []  # it has been raised, so somebody knows


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("how", ["pump", "quiesce", "wait", "result", "scope"])
def test_what_is_no_exception_rises_at_once(kind: type[BaseException], how: str) -> None:
    pinned = PinnedCown([])
    failed: list[Any] = []

    def go() -> None:
        failed.append(whencall(fail, [pinned], (kind("stop"),)))
        failed.append(whencall(append, [pinned], (1,)))

    def in_scope() -> None:
        with scope():
            go()

    if how != "scope":
        go()
    call = {"pump": pump, "quiesce": quiesce, "wait": wait, "result": pinned.result, "scope": in_scope}[how]
    with pytest.raises(kind, match="stop"):
        call()
    assert pinned.value == ["failed"]
    with pytest.raises(kind):
        failed[0].result(DEADLINE)
    quiesce(DEADLINE)
    assert pinned.value == (["failed"] if how == "scope" else ["failed", 1])


def test_waits_do_not_raise_failures_and_run_all() -> None:
    pinned = PinnedCown([])
    failed = whencall(fail, [pinned], (ValueError("no"),))
    whencall(append, [pinned], (1,))
    quiesce(DEADLINE)
    assert pinned.value == ["failed", 1]
    with pytest.raises(ValueError):
        failed.result()


def test_a_wait_in_a_destructor_after_a_pinned_behavior() -> None:
    pinned = PinnedCown([])
    seen: list[Any] = []

    class Waits:
        def __del__(self) -> None:
            seen.append(caught(pump)[0])
            seen.append(caught(last.result, DEADLINE))

    box: Cown[Any] = PinnedCown(Waits())

    @when(box)
    def first(box: Cown[Any]) -> None:
        box.value = None

    del box
    last = whencall(append, [pinned], (1,))
    quiesce(DEADLINE)
    assert pinned.value == [1]
    assert len(seen) == 2


def test_a_wait_elsewhere_does_not_run_them() -> None:
    pinned = PinnedCown([])
    whencall(append, [pinned], (1,))
    kind, message = run_threads(lambda: caught(quiesce, 0.05))[0]
    assert kind == "TimeoutError"
    assert "append" in message
    assert "pinned ones are ready" in message
    assert pinned.value == []
    quiesce(DEADLINE)
    assert pinned.value == [1]


def test_other_threads_see_which_one_runs(gate: Gate) -> None:
    pinned = PinnedCown([])

    @when(pinned)
    def slow(pinned: PinnedCown[list[int]], gate: Gate = gate) -> None:
        gate.pass_through()

    outcome: list[tuple[str, str]] = []

    def elsewhere() -> None:
        gate.wait_arrived()
        outcome.append(caught(quiesce, 0.05))
        gate.open()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    quiesce(DEADLINE)
    thread.join()
    assert outcome[0][0] == "TimeoutError"
    assert "running" in outcome[0][1]
