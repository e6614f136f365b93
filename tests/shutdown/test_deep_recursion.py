"""Depth: recursion in bodies, chains of cowns and of results that are as long as memory allows."""

from __future__ import annotations

import pytest
from _program import run

WORKERS = pytest.mark.parametrize("workers", [1, 8])


@WORKERS
@pytest.mark.parametrize("limit", ["", "sys.setrecursionlimit(300)", "sys.setrecursionlimit(6000)"])
def test_endless_recursion_is_the_result(limit: str, workers: int) -> None:
    """And the worker is as good as new after it."""
    source = f"""
        import sys
        from bocpy import Cown, when
        {limit}

        def deeper(n):
            return 1 + deeper(n + 1)

        c = Cown(0)
        for i in range(20):
            @when(c)
            def breaks(c):
                c.value += 1
                return deeper(0)

            @when(breaks)
            def check(r):
                return r.exception and type(r.value).__name__

        @when(check, c)
        def show(r, c):
            print(r.value, c.value)
    """
    run(source, workers=workers).check(out=["RecursionError 20"])


@WORKERS
@pytest.mark.parametrize(
    "body",
    [
        "repr(nest(100_000))",
        "import json; json.dumps(nest(100_000))",
        "nest(1_000_000) == nest(1_000_000)",  # 3.14 goes as deep as the stack allows
        "import pickle; pickle.dumps(nest(100_000))",
        "eval('(' * 150 + ')' * 149)",
    ],
)
def test_recursion_in_c(body: str, workers: int) -> None:
    """A worker's stack is as good as main's: C code that recurses gets its error, not a signal."""
    source = f"""
        from bocpy import Cown, when

        def nest(depth):
            value = []
            for _ in range(depth):
                value = [value]
            return value

        @when(Cown(0))
        def breaks(c):
            {body}

        @when(breaks)
        def show(r):
            print(r.exception, type(r.value).__name__ in ("RecursionError", "SyntaxError", "MemoryError"))
    """
    run(source, workers=workers).check(out=["True True"])


def test_deep_recursion_that_is_allowed() -> None:
    source = """
        from bocpy import Cown, when

        def deeper(n):
            return n and 1 + deeper(n - 1)

        @when(Cown(900))
        def depth(c):
            return deeper(c.value)
        print(depth.result())
    """
    run(source, workers=2).check(out=["900"])


@WORKERS
def test_long_chain_of_cowns_in_cowns(workers: int) -> None:
    """Dropped by main, by a behavior, and by the end of the program: never by recursion."""
    source = """
        from bocpy import Cown, when

        def chain(length):
            c = Cown(None)
            for _ in range(length):
                c = Cown(c)
            return c

        dropped = chain(100_000)
        del dropped

        c = Cown(chain(100_000))

        @when(c)
        def drop(c):
            c.value = None

        @when(Cown(0))
        def build(c):
            inner = Cown(None)
            for _ in range(100_000):
                inner = Cown(inner)
            c.value = inner

        kept = chain(100_000)
        print("end of main")
    """
    run(source, workers=workers).check(out=["end of main"])


@WORKERS
def test_long_chain_of_results(workers: int) -> None:
    """Each behavior waits for the one before, all of them behind one that has not begun to end."""
    source = """
        import threading, time
        from bocpy import Cown, when

        first = Cown(0)
        result = first

        @when(first)
        def wait_a_little(c):
            time.sleep(0.1)

        def add(r):
            return r.value + 1

        for _ in range(50_000):
            result = when(result)(add)

        @when(result)
        def show(r):
            print("result", r.value)
    """
    run(source, workers=workers).check(out=["result 50000"])


@WORKERS
def test_behaviors_that_hold_behaviors(workers: int) -> None:
    """A queue of captures, each of which holds the cown of the one before, dropped by an interrupted end."""
    source = """
        import _thread, time
        from bocpy import Cown, when

        blocked = Cown(0)

        @when(blocked)
        def block(c):
            time.sleep(0.3)

        last = Cown(0)
        for i in range(20_000):
            @when(Cown(last), blocked)
            def holds(c, b):
                pass
            last = holds
        raise KeyboardInterrupt
    """
    ended = run(source, workers=workers)
    ended.check(code=(-2, 130), out=[], err=None)
    assert ended.err.count("KeyboardInterrupt") == 2, str(ended)  # the source line and the exception


@WORKERS
def test_nested_containers_given_away(workers: int) -> None:
    """A value that is too deep to copy is refused or moved, in words; the runtime goes on."""
    source = """
        from bocpy import Cown, when

        def nest(depth):
            value = []
            for _ in range(depth):
                value = [value]
            return value

        deep = nest(100_000)
        try:
            @when(Cown(0))
            def captures(c, deep=deep):
                return 1
            captures.result()
        except (RecursionError, TypeError, RuntimeError) as error:
            pass
        try:
            c = Cown(deep)

            @when(c)
            def moves(c):
                c.value = 1
            moves.result()
        except (RecursionError, TypeError, RuntimeError) as error:
            pass

        @when(Cown(1))
        def show(c):
            print("still runs")
    """
    run(source, workers=workers).check(out=["still runs"], err=None)
