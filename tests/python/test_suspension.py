"""Behaviors that wait for messages while others run on the same worker."""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boc_testing import DEADLINE, SHORT, Gate, caught, run_threads
from bocpy import (
    TIMEOUT,
    CancelledError,
    Cown,
    batch,
    drain,
    notice_read,
    notice_update,
    notice_write,
    noticeboard,
    quiesce,
    receive,
    scope,
    send,
    start,
    wait,
    when,
    whencall,
)
from payload_testing import MOVING
from suspension_testing import listen, quiesce_all_waiting

#: Where each behavior that waits needs a thread, there should not be thousands of them.
MANY = 10_000 if sys.version_info >= (3, 12) else 200

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


def test_deep_in_python_and_in_c() -> None:
    start(1)

    def deep(n: int, tag: str) -> int:
        return n if n == 0 and listen(tag) is None else 1 + deep(n - 1, tag) if n else 0

    class Waits:
        def __init__(self, tag):
            self.tag = tag

        def __lt__(self, other):
            listen(self.tag)
            return False

    def in_c(tag: str) -> int:
        depth = 20
        nested: Any = functools.partial(listen, tag)
        for _ in range(depth):
            nested = functools.partial(next, map(lambda call: call(), [nested]))
        nested()
        sorted([Waits(tag), Waits(tag)])
        return depth

    results = [whencall(deep, [], [200 + i, f"p{i}"]) for i in range(5)]
    results_c = [whencall(in_c, [], [f"p{i}"]) for i in range(5, 10)]
    for _ in range(2):
        for i in reversed(range(10)):
            if i >= 5 or not _:
                send(f"p{i}", None)
    assert [r.result(DEADLINE) for r in results] == [200 + i for i in range(5)]
    assert [r.result(DEADLINE) for r in results_c] == [20] * 5


def test_endless_recursion_after_a_wait_is_an_error() -> None:
    """The stack of a behavior that has waited, and of those that run meanwhile, is as safe as any other."""
    start(1)

    def forever(n):
        return forever(n + 1)

    def nest(levels):
        value: Any = 0
        for _ in range(levels):
            value = [value]
        return value

    def fail(tag: str) -> list[str]:
        listen(tag)
        kinds = []
        for wrong in (lambda: forever(0), lambda: repr(nest(100_000)), lambda: json.dumps(nest(100_000))):
            kinds.append(caught(wrong)[0])
        return kinds

    results = [whencall(fail, [], [f"r{i}"]) for i in range(3)]
    meanwhile = whencall(lambda: fail("now"), [])
    send("now", None)
    assert meanwhile.result(DEADLINE) == ["RecursionError"] * 3
    for i in range(3):
        send(f"r{i}", None)
    assert [r.result(DEADLINE) for r in results] == [["RecursionError"] * 3] * 3


def test_a_long_chain_dies_while_others_wait() -> None:
    start(1)

    class Link:
        def __init__(self, rest):
            self.rest = rest

    def work(tag: str) -> str:
        chain = None
        for _ in range(100_000):
            chain = Link(chain)
        listen(tag)
        del chain
        return "done"

    results = [whencall(work, [], [f"l{i}"]) for i in range(3)]
    for i in range(3):
        send(f"l{i}", None)
    assert [r.result(DEADLINE) for r in results] == ["done"] * 3


@WORKERS
def test_within_a_callback_of_ctypes(workers: int) -> None:
    if MOVING and sys.version_info < (3, 13):
        pytest.skip("CPython 3.12 cannot import ctypes where behaviors run")
    start(workers)

    def use(tag: str) -> list[int]:
        import ctypes

        # Not from a library: what qsort would call is called by ctypes itself.
        compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + listen(tag))
        return [compare(1), compare(2)]

    results = [whencall(use, [], [f"k{i}"]) for i in range(4)]
    for i in (2, 0, 3, 1):
        send(f"k{i}", i)
    for i in (0, 3, 1, 2):
        send(f"k{i}", i)
    assert [r.result(DEADLINE) for r in results] == [[1 + i, 2 + i] for i in range(4)]


def test_within_an_import(tmp_path: Path) -> None:
    """It would keep the lock of the module, at which the next behavior of the worker could stop the worker."""
    (tmp_path / "slow_module.py").write_text(f"from bocpy import receive\nvalue = receive('import', {DEADLINE})[1]\n")
    sys.path.insert(0, str(tmp_path))
    try:
        start(1)

        def use() -> Any:
            import importlib

            return importlib.import_module("slow_module").value

        for _ in range(2):
            with pytest.raises(RuntimeError, match=r"receive\(\) within an import"):
                whencall(use, []).result(DEADLINE)
        send("import", "there already")
        assert whencall(use, []).result(DEADLINE) == "there already"
        wait()
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("slow_module", None)


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


def test_what_fits_on_the_stack_of_a_worker_fits_while_others_wait() -> None:
    start(1)

    def deep() -> list[str]:
        return [caught(compile, source, "<a test>", "eval")[0] for source in ("-" * 300 + "1", "a" + ".b" * 300)]

    before = whencall(deep, []).result(DEADLINE)
    waiting = [whencall(lambda i: listen(f"w{i}"), [], [i]) for i in range(2)]
    quiesce_all_waiting(2)
    assert whencall(deep, []).result(DEADLINE) == before
    for i in range(2):
        send(f"w{i}", i)
    assert [r.result(DEADLINE) for r in waiting] == [0, 1]


def test_what_others_drop_goes_while_a_behavior_waits() -> None:
    """On free-threaded builds who dropped the last reference leaves that to the thread that made the object."""
    start(1)
    waiting = whencall(lambda: listen("end"), [])
    quiesce_all_waiting(1)

    class Told:
        def __del__(self):
            send("gone", None)

    held: Any = whencall(Told, []).result(DEADLINE)
    del held
    limit = time.monotonic() + DEADLINE
    while receive("gone", 0) == (TIMEOUT, None):
        assert time.monotonic() < limit
        whencall(lambda: None, []).result(DEADLINE)
    send("end", None)
    waiting.result(DEADLINE)


def test_collections_while_many_wait() -> None:
    start(2)

    def use(tag: str) -> int:
        cycle: list[Any] = [tag]
        cycle.append(cycle)
        listen(tag)
        gc.collect()
        return len(cycle)

    results = [whencall(use, [], [f"gc{i}"]) for i in range(50)]
    for _ in range(3):
        gc.collect()
        whencall(gc.collect, []).result(DEADLINE)
    for i in range(50):
        send(f"gc{i}", None)
    assert {r.result(DEADLINE) for r in results} == {2}


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


def test_memory_of_those_that_wait() -> None:
    """Roughly: what it is exactly is measured by tests/bench, not tested."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("reads /proc/self/statm")

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    start(1)
    count = MANY // 5
    whencall(lambda: receive("warm up", SHORT), []).result(DEADLINE)
    before = resident()
    results = [whencall(lambda i: receive(f"m{i}"), [], [i]) for i in range(count)]
    quiesce_all_waiting(count)
    each = (resident() - before) / count
    for i in range(count):
        send(f"m{i}", None)
    for result in results:
        result.result(DEADLINE)
    assert each < 150_000


def test_again_and_again(gate: Gate) -> None:
    for _ in range(5):
        start(2)
        results = [whencall(lambda i: receive(f"again {i}"), [], [i]) for i in range(40)]
        quiesce_all_waiting(40)
        for i in range(40):
            send(f"again {i}", i)
        wait()
        assert [r.value for r in results] == [(f"again {i}", i) for i in range(40)]
    drain("again 0")
    assert threading.active_count() < 40
