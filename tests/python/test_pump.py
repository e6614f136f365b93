"""pump(): its bounds, its errors, its watchdog, and who is told that pinned behaviors wait."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
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
    set_pump_notify,
    set_pump_watchdog,
    set_wait_pump_poll,
    start,
    wait,
    when,
    whencall,
)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    set_pump_watchdog(None)
    set_pump_notify(None)
    set_wait_pump_poll()


def append(pinned: Cown[list[Any]], what: Any) -> None:
    pinned.value.append(what)


def fail(pinned: Cown[list[Any]], error: BaseException) -> None:
    pinned.value.append("failed")
    raise error


def pump_until(done: Callable[[], bool]) -> None:
    limit = time.monotonic() + DEADLINE
    while not done():
        assert time.monotonic() < limit
        pump()


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


# The watchdog ------------------------------------------------------------------------------------------------------


def starve() -> PinnedCown[list[Any]]:
    pinned: PinnedCown[list[Any]] = PinnedCown([])
    whencall(append, [pinned], (1,))
    time.sleep(0.005)
    return pinned


def test_the_watchdog_is_off_until_it_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    starve()
    pump()
    assert caplog.records == []


def test_the_watchdog_warns_once_per_time(caplog: pytest.LogCaptureFixture) -> None:
    set_pump_watchdog(2)
    pinned = starve()
    whencall(append, [pinned], (2,))
    whencall(append, [pinned], (3,))
    for _ in range(3):
        pump(max_behaviors=1)
    assert [(record.name, record.levelno) for record in caplog.records] == [("bocpy.pump", logging.WARNING)]
    assert "ms" in caplog.text
    pump()
    starve()
    pump()
    assert len(caplog.records) == 2
    set_pump_watchdog(None)
    starve()
    pump()
    assert len(caplog.records) == 2


def test_the_watchdog_calls_back(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[tuple[int, str]] = []
    set_pump_watchdog(warn_ms=2, on_starve=lambda index, message: calls.append((index, message)))
    starve()
    pump()
    assert len(calls) == 1
    assert calls[0][0] == 0
    assert isinstance(calls[0][1], str)
    assert caplog.records == []

    def complain(index: int, message: str) -> None:
        raise LookupError(message)

    set_pump_watchdog(2, complain)
    pinned = starve()
    with pytest.raises(LookupError):
        pump()
    assert pinned.value == []
    pump()
    assert pinned.value == [1]


def test_the_watchdog_minds_pinned_work_alone(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    set_pump_watchdog(1)

    @when()
    def slow(gate: Gate = gate) -> None:
        gate.pass_through()

    gate.wait_arrived()
    time.sleep(0.005)
    pump()
    gate.open()
    assert caplog.records == []


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, "1"])
def test_bad_times(bad: Any) -> None:
    with pytest.raises(TypeError, match="positive int or None"):
        set_pump_watchdog(bad)
    with pytest.raises(TypeError, match="positive int"):
        set_wait_pump_poll(bad)


def test_bad_callbacks() -> None:
    with pytest.raises(TypeError, match="on_starve"):
        set_pump_watchdog(1, 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="callback"):
        set_pump_notify(1)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        set_pump_watchdog((1 << 63) // 1_000_000)
    with pytest.raises(TypeError):
        set_wait_pump_poll(None)  # type: ignore[arg-type]
    for function in (set_pump_watchdog, lambda: set_pump_notify(None)):
        assert run_threads(lambda function=function: caught(function))[0][0] == "RuntimeError"  # type: ignore[misc]


def test_the_poll_interval_changes_nothing_but_how_often_a_wait_looks_around() -> None:
    for ms in (1, 50, 10**40):
        set_wait_pump_poll(ms)
        pinned = PinnedCown([])

        @when()
        def work(pinned: PinnedCown[list[Any]] = pinned, ms: int = ms) -> Cown[None]:
            return whencall(append, [pinned], (ms,))

        quiesce(DEADLINE)
        assert pinned.value == [ms]


# Being told --------------------------------------------------------------------------------------------------------


def test_the_callback_is_told_once_until_the_next_pump() -> None:
    told = threading.Semaphore(0)
    threads: list[Any] = []

    def tell() -> None:
        threads.append(threading.current_thread())
        told.release()

    set_pump_notify(tell)
    pinned = PinnedCown([])
    whencall(append, [pinned], (1,))
    assert told.acquire(timeout=DEADLINE)
    whencall(append, [pinned], (2,))
    assert not told.acquire(timeout=0.02)
    assert pump(max_behaviors=1) == (1, False, 0)
    assert told.acquire(timeout=DEADLINE)  # one is left
    pump()
    whencall(append, [pinned], (3,))
    assert told.acquire(timeout=DEADLINE)
    assert threading.main_thread() not in threads
    set_pump_notify(None)
    pump()
    whencall(append, [pinned], (4,))
    assert not told.acquire(timeout=0.02)
    quiesce(DEADLINE)
    assert pinned.value == [1, 2, 3, 4]


def test_a_new_callback_hears_of_what_waits() -> None:
    pinned = PinnedCown([])
    whencall(append, [pinned], (1,))
    first, second = threading.Event(), threading.Event()
    set_pump_notify(first.set)
    assert first.wait(DEADLINE)
    set_pump_notify(second.set)
    assert second.wait(DEADLINE)
    first.clear()
    pump()
    whencall(append, [pinned], (2,))
    second.clear()
    pump()
    assert not first.is_set()


def test_a_wait_needs_no_callback() -> None:
    told = threading.Event()
    set_pump_notify(told.set)
    pinned = PinnedCown([])

    @when()
    def work() -> Cown[None]:
        return whencall(append, [pinned], (1,))

    quiesce(DEADLINE)
    assert pinned.value == [1]


def test_a_callback_that_fails_is_logged_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    calls = threading.Semaphore(0)

    def failing() -> None:
        calls.release()
        raise LookupError("no loop")

    set_pump_notify(failing)
    pinned = PinnedCown([])
    for i in range(2):
        whencall(append, [pinned], (i,))
        assert calls.acquire(timeout=DEADLINE)
        quiesce(DEADLINE)
    limit = time.monotonic() + DEADLINE
    while len(caplog.records) < 2 and time.monotonic() < limit:  # it is logged a moment later
        time.sleep(0.001)
    assert caplog.text.count("LookupError: no loop") == 2
    assert {record.name for record in caplog.records} == {"bocpy.pump"}


def test_asyncio() -> None:
    """The recipe of the documentation: the loop sleeps, without a timer, until pinned work arrives."""
    shown = PinnedCown([])
    numbers = [Cown(i) for i in range(20)]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        set_pump_notify(lambda: loop.call_soon_threadsafe(pump))
        finished = asyncio.Event()
        try:
            for number in numbers:

                @when(number)
                def work(number: Cown[int]) -> None:
                    number.value *= 2
                    value = number.value

                    @when(shown)
                    def show(shown: PinnedCown[list[int]]) -> None:
                        shown.value.append(value)

            @when(*numbers)
            def last(*numbers: Cown[int]) -> None:
                @when(shown)
                def show(shown: PinnedCown[list[int]]) -> None:
                    shown.value.append(-1)

            # A behavior that is scheduled here takes its objects along, the event among them.
            def look(shown: PinnedCown[list[int]]) -> None:
                if len(shown.value) < 21:
                    loop.call_soon(whencall, look, [shown])
                else:
                    finished.set()

            whencall(look, [shown])
            await asyncio.wait_for(finished.wait(), DEADLINE)
            value = await asyncio.to_thread(whencall(lambda shown: len(shown.value), [shown]).result, DEADLINE)
            assert value == 21
        finally:
            set_pump_notify(None)

    asyncio.run(main())
    assert sorted(shown.value) == [-1, *range(0, 40, 2)]


def test_many_from_everywhere() -> None:
    """Nothing that is pushed is missed, whether main waits, pumps, or sleeps in between."""
    told = threading.Event()
    set_pump_notify(told.set)
    pinned = PinnedCown([])
    cowns = [Cown(0) for _ in range(4)]
    for round_ in range(20):
        for cown in cowns:

            @when(cown)
            def work(cown: Cown[int], pinned: PinnedCown[list[int]] = pinned) -> None:
                for i in range(5):
                    whencall(append, [pinned], (i,))

        wanted = 20 * (round_ + 1)
        if round_ % 3 == 0:
            quiesce(DEADLINE)
        elif round_ % 3 == 1:
            while len(pinned.value) < wanted:
                assert told.wait(DEADLINE)
                told.clear()
                pump(max_behaviors=3)
        else:
            pump_until(lambda wanted=wanted: len(pinned.value) == wanted)  # type: ignore[misc]
        assert len(pinned.value) == wanted


def test_tcl() -> None:
    """The recipe for Tk, with Tcl's event loop, which is Tk's, and no window: a byte in a pipe wakes it."""
    tkinter = pytest.importorskip("tkinter")
    tcl = tkinter.Tcl()
    if not hasattr(tcl.tk, "createfilehandler"):
        pytest.skip("this Tcl has no file handlers")
    ready, tell = os.pipe()
    shown = PinnedCown([tcl])  # can be neither copied nor carried

    def on_ready(*_: object) -> None:
        os.read(ready, 4096)
        pump()

    tcl.tk.createfilehandler(ready, tkinter.READABLE, on_ready)
    set_pump_notify(lambda: os.write(tell, b"x"))
    try:
        for i in range(10):

            @when()
            def work() -> None:
                value = i * i  # noqa: B023

                @when(shown)
                def show(shown: PinnedCown[list[Any]]) -> None:
                    shown.value.append(int(shown.value[0].tk.eval(f"expr {value}")))

        while len(shown.value) < 11:
            tcl.tk.dooneevent(0)  # sleeps
    finally:
        set_pump_notify(None)
        tcl.tk.deletefilehandler(ready)
        wait(DEADLINE)
        os.close(ready)
        os.close(tell)
    assert sorted(shown.value[1:]) == [i * i for i in range(10)]
