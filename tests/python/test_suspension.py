"""Behaviors that wait for messages while others run on the same worker."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from boc_testing import DEADLINE, SHORT, Gate, caught, run_threads
from bocpy import (
    TIMEOUT,
    CancelledError,
    Cown,
    batch,
    notice_read,
    notice_update,
    notice_write,
    noticeboard,
    quiesce,
    receive,
    scope,
    send,
    start,
    when,
    whencall,
)
from suspension_testing import MANY, listen, quiesce_all_waiting

pytestmark = pytest.mark.usefixtures("no_messages")

WORKERS = pytest.mark.parametrize("workers", [1, 3])


def test_ten_thousand_wait_on_one_worker_while_others_run() -> None:
    start(1)
    waiting = [whencall(lambda n: receive(f"to {n}"), [], [n]) for n in range(MANY)]
    others = [Cown(n) for n in range(100)]
    for cown in others:

        @when(cown)
        def add(cown):
            cown.value += 1

    for n, cown in enumerate(others):
        assert cown.result(DEADLINE) == n + 1
    quiesce_all_waiting(MANY)
    for n in reversed(range(MANY)):
        send(f"to {n}", n)
    for n, result in enumerate(waiting):
        assert result.result(DEADLINE) == (f"to {n}", n)


@WORKERS
def test_a_ring_of_behaviors(workers: int) -> None:
    start(workers)
    size, rounds = 50, 20

    def member(number: int) -> int:
        total = 0
        for _ in range(rounds):
            token = receive(f"ring {number}", DEADLINE)[1]
            total += token
            send(f"ring {(number + 1) % size}", token + 1)
        return total

    results = [whencall(member, [], [number]) for number in range(size)]
    send("ring 0", 0)
    totals = [result.result(DEADLINE) for result in results]
    assert sum(totals) == sum(range(size * rounds))
    assert receive("ring 0", 0) == ("ring 0", size * rounds)


def test_the_cown_stays_held() -> None:
    start(1)
    cown = Cown([])

    @when(cown)
    def first(cown):
        cown.value.append("before")
        cown.value.append(listen("go on"))

    @when(cown)
    def second(cown):
        cown.value.append("second")

    quiesce_all_waiting(1)
    with pytest.raises(TimeoutError, match="waiting for a message"):
        cown.result(SHORT)
    send("go on", "after")
    assert cown.result(DEADLINE) == ["before", "after", "second"]


def test_locals_exceptions_and_context_managers_over_a_wait() -> None:
    start(1)

    def patient(name: str) -> list[str]:
        told: list[str] = []
        with contextlib.ExitStack() as stack:
            stack.callback(told.append, "closed")
            try:
                try:
                    raise KeyError(name)
                except KeyError as error:
                    told.append(listen(name))
                    assert sys.exc_info()[1] is error
                    raise ValueError(listen(name)) from error
            except ValueError as error:
                told.append(f"{error} after {error.__cause__!r}")
                told.append(listen(name))
        assert sys.exc_info()[1] is None
        return told

    names = [f"n{i}" for i in range(20)]
    results = [whencall(patient, [], [name]) for name in names]
    for step in range(3):
        for name in names[:: (-1) ** step]:
            send(name, f"{name}-{step}")
    for name, result in zip(names, results, strict=True):
        assert result.result(DEADLINE) == [f"{name}-0", f"{name}-1 after KeyError('{name}')", f"{name}-2", "closed"]


def test_generators_and_coroutines_that_wait_inside() -> None:
    start(1)

    def numbers(tag):
        while (number := listen(tag)) is not None:
            yield number

    async def answer(tag):
        return listen(tag)

    def use(tag: str) -> tuple[int, int]:
        total = sum(numbers(tag))
        task = answer(tag)
        try:
            task.send(None)
        except StopIteration as done:
            return total, done.value
        raise AssertionError("it does not await anything")

    results = [whencall(use, [], [f"g{i}"]) for i in range(10)]
    for message in (1, 2, 3, None, 4):
        for i in range(10):
            send(f"g{i}", message)
    assert [result.result(DEADLINE) for result in results] == [(6, 4)] * 10


def test_contextvars_and_thread_locals_belong_to_the_behavior_while_it_waits() -> None:
    start(1)

    def use(name: str) -> tuple[str, str]:
        import suspension_testing as own

        own.VARIABLE.set(name)
        own.LOCAL.name = name
        listen(name)
        return own.VARIABLE.get(), own.LOCAL.name

    results = [whencall(use, [], [f"c{i}"]) for i in range(5)]
    for i in (3, 0, 4, 1, 2):
        send(f"c{i}", None)
    for i, result in enumerate(results):
        assert result.result(DEADLINE) == (f"c{i}", f"c{i}")


def test_a_scope_does_not_wait_for_whom_its_behavior_woke(gate: Gate) -> None:
    start(1)

    def outside() -> str:
        listen("go")
        gate.pass_through()  # keeps the worker until main is out of the scope
        return "through"

    result = whencall(outside, [])
    quiesce_all_waiting(1)
    with scope():
        whencall(lambda: send("go", 1), [])
    gate.open()
    assert result.result(DEADLINE) == "through"


def test_time_outs_in_a_behavior() -> None:
    start(1)

    def use(timeout: float) -> tuple[Any, bool]:
        begun = time.monotonic()
        got = receive("nothing comes", timeout)
        return got, time.monotonic() - begun >= timeout

    results = [whencall(use, [], [0.03 - i / 1000]) for i in range(20)]
    after = whencall(lambda: receive(["nothing comes", "nor here"], SHORT, lambda: listen("after")), [])
    send("after", "from after")
    for result in results:
        assert result.result(DEADLINE) == ((TIMEOUT, None), True)
    assert after.result(DEADLINE) == "from after"


@WORKERS
def test_a_cancelled_scope_wakes_those_that_wait(workers: int) -> None:
    start(workers)
    outside = whencall(lambda: listen("outside"), [])
    told = Cown([])

    def patient(told):
        try:
            receive("never sent")
        except CancelledError as error:
            told.value = [*told.value, str(error)]
            raise

    with pytest.raises(LookupError), scope():
        results = [whencall(patient, [told])]
        results.append(whencall(lambda: receive("never sent"), []))
        quiesce_all_waiting(3)
        raise LookupError
    for result in results:
        with pytest.raises(CancelledError, match=r"receive\(\) was given up"):
            result.result(DEADLINE)
    assert len(told.result(DEADLINE)) == 1
    send("outside", 5)
    assert outside.result(DEADLINE) == 5


def test_what_a_behavior_has_open_is_its_own() -> None:
    start(1)
    notice_write("key", "old")
    quiesce(noticeboard=True)

    def patient(tag: str, n: int) -> tuple[Any, ...]:
        before = notice_read("key")
        with scope() as inner:
            with batch():
                made = whencall(lambda n: n * 10, [], [n])
                listen(tag)
            done = inner.done
        after = noticeboard()["key"]
        return before, after, made, done

    results = [whencall(patient, [], [f"o{i}", i]) for i in range(3)]
    quiesce_all_waiting(3)
    notice_write("key", "new")
    assert whencall(lambda: notice_read("key"), []).result(DEADLINE) == "new"
    for i in (1, 0, 2):
        send(f"o{i}", None)
    for i, result in enumerate(results):
        before, after, made, done = result.result(DEADLINE)
        assert (before, after) == ("old", "old")  # one snapshot per behavior
        assert made.result(DEADLINE) == i * 10
        assert done.result(DEADLINE) is None


def test_where_nobody_may_wait() -> None:
    start(1)
    kind, why = whencall(lambda: caught(notice_update, "key", lambda value: receive("never sent", 1), None), []).result(
        DEADLINE
    )
    assert kind == "RuntimeError" and "notice_update" in why


def test_a_wait_within_what_a_behavior_sends() -> None:
    start(1)

    class Carried:
        def __init__(self, tag):
            self.tag = tag

        def __reduce__(self):
            return str, (listen(self.tag),)

    results = [whencall(lambda i: send("carried", [i, Carried(f"s{i}")]), [], [i]) for i in range(4)]
    for i in (2, 0, 3, 1):
        send(f"s{i}", f"from {i}")
        assert receive("carried", DEADLINE)[1] == [i, f"from {i}"]
    assert [r.result(DEADLINE) for r in results] == [None] * 4


@WORKERS
def test_messages_from_everywhere_under_load(workers: int) -> None:
    start(workers)
    count = 300
    shared = Cown(0)

    def echo(i: int) -> int:
        total = 0
        for _ in range(5):
            value, back = listen(f"echo {i}")
            total += value
            send(back, (i, value))
        return total

    results = [whencall(echo, [], [i]) for i in range(count)]

    def client(which: int) -> Callable[[], int]:
        def ask() -> int:
            seen = 0
            for i in range(which, count, 3):
                for step in range(5):
                    send(f"echo {i}", (step, f"back {which}"))
                    assert receive(f"back {which}", DEADLINE)[1] == (i, step)
                    seen += 1
                    if step == 2:

                        @when(shared)
                        def add(shared):
                            shared.value += 1

            return seen

        return ask

    assert sum(run_threads(client(0), client(1), client(2))) == count * 5
    assert [r.result(DEADLINE) for r in results] == [10] * count
    assert shared.result(DEADLINE) == count
