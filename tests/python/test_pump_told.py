"""Who is told that pinned behaviors wait: the watchdog, and the callback that wakes an event loop."""

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
    pump,
    quiesce,
    set_pump_notify,
    set_pump_watchdog,
    set_wait_pump_poll,
    start,
    wait,
    when,
    whencall,
)
from pinned_testing import append


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    set_pump_watchdog(None)
    set_pump_notify(None)
    set_wait_pump_poll()


def pump_until(done: Callable[[], bool]) -> None:
    limit = time.monotonic() + DEADLINE
    while not done():
        assert time.monotonic() < limit
        pump()


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


def test_whoever_listens_is_told_again_if_the_watchdog_raises() -> None:
    def complain(index: int, message: str) -> None:
        raise LookupError(message)

    start(1)
    pinned: PinnedCown[list[int]] = PinnedCown([])
    told = threading.Semaphore(0)
    set_pump_notify(told.release)
    set_pump_watchdog(1, complain)
    try:
        when(pinned)(lambda pinned: pinned.value.append(1))
        assert told.acquire(timeout=DEADLINE)
        time.sleep(0.005)
        with pytest.raises(LookupError):
            pump()
        assert told.acquire(timeout=DEADLINE)
        set_pump_watchdog(None)
        assert pump().executed == 1
    finally:
        set_pump_watchdog(None)
        set_pump_notify(None)


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
