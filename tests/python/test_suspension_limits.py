"""Behaviors that wait: their stacks, imports, collections, memory."""

from __future__ import annotations

import functools
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from boc_testing import DEADLINE, SHORT, Gate, caught
from bocpy import (
    TIMEOUT,
    drain,
    receive,
    send,
    start,
    wait,
    whencall,
)
from payload_testing import MOVING
from suspension_testing import MANY, listen, quiesce_all_waiting

pytestmark = pytest.mark.usefixtures("no_messages")

WORKERS = pytest.mark.parametrize("workers", [1, 3])


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
