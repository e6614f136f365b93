"""Behaviors that are scheduled while the program is already ending: by exit handlers, destructors, finalizers."""

from __future__ import annotations

import pytest
from _program import run

WORKERS = pytest.mark.parametrize("workers", [1, 8])


@WORKERS
def test_handler_registered_after_the_import(workers: int) -> None:
    source = """
        import atexit
        from bocpy import Cown, when

        c = Cown(["first"])

        def late():
            @when(c)
            def add(c):
                c.value.append("from the handler")

            @when(c)
            def show(c):
                print(c.value)

        atexit.register(late)

        @when(c)
        def add(c):
            c.value.append("from main")
    """
    run(source, workers=workers).check(out=["['first', 'from main', 'from the handler']"])


@WORKERS
def test_handler_that_waits_for_its_result(workers: int) -> None:
    source = """
        import atexit
        import bocpy
        from bocpy import Cown, when

        c = Cown(20)

        def late():
            @when(c)
            def twice(c):
                return 2 * c.value
            print("result", twice.result())
            bocpy.quiesce()
            bocpy.wait()
            with c as value:
                print("held", value)

        atexit.register(late)
    """
    run(source, workers=workers).check(out=["result 40", "held 20"])


@WORKERS
def test_handler_registered_before_the_import(workers: int) -> None:
    """It runs when the runtime has drained: what it schedules runs or is refused in words, never lost silently."""
    source = """
        import atexit, sys

        def late():
            try:
                @when(c)
                def show(c):
                    sys.stdout.write(f"ran {c.value}\\n")
            except RuntimeError as error:
                sys.stdout.write(f"refused: {error}\\n")
            sys.stdout.write("the handler ends\\n")

        atexit.register(lambda: print("the last handler", flush=True))
        atexit.register(late)
        from bocpy import Cown, when

        c = Cown(20)

        @when(c)
        def add(c):
            c.value += 1
    """
    ended = run(source, workers=workers).check(out=None)
    said = [line for line in ended.lines if line == "ran 21" or line.startswith("refused: ")]
    assert len(said) == 1, str(ended)
    assert "the last handler" in ended.lines and "the handler ends" in ended.lines, str(ended)


@WORKERS
def test_handler_that_fails(workers: int) -> None:
    source = """
        import atexit
        from bocpy import Cown, when

        c = Cown(0)

        def fails():
            raise ValueError("a handler fails")

        atexit.register(fails)
        for i in range(10):
            @when(c)
            def add(c):
                c.value += 1

        @when(c)
        def show(c):
            print("added", c.value)
    """
    # The report of a failing handler is Python's own ("Exception ignored in atexit callback" since 3.12).
    ended = run(source, workers=workers)
    assert ended.lines == ["added 10"] and "a handler fails" in ended.err and ended.code in (0, 1), str(ended)
    assert "Fatal" not in ended.err and "terminate" not in ended.err, str(ended)


@WORKERS
def test_destructor_of_a_value_schedules(workers: int) -> None:
    """The value dies with its cown, during the drain."""
    source = """
        from bocpy import Cown, when

        log = Cown([])

        class Last:
            def __init__(self, log):
                self.log = log

            def __del__(self):
                @when(self.log)
                def say(log):
                    print("scheduled by a destructor", flush=True)

        c = Cown(Last(log))

        @when(c)
        def drop(c):
            c.value = None
        del c
    """
    run(source, workers=workers).check(out=["scheduled by a destructor"])


@WORKERS
@pytest.mark.parametrize("where", ["keeper = Last()", "keeper = Cown(Last())", "keeper = Last(); keeper.me = keeper"])
def test_destructor_at_the_end_of_the_interpreter(where: str, workers: int) -> None:
    """Objects of the main module die when the interpreter does. Too late for work, but not for words."""
    source = f"""
        from bocpy import Cown, when

        class Last:
            def __del__(self):
                try:
                    @when(Cown(1))
                    def say(c):
                        print("ran", flush=True)
                except RuntimeError as error:
                    print("refused:", error, flush=True)
                except TypeError:
                    print("refused: the module is empty already", flush=True)

        {where}

        @when(Cown(0))
        def work(c):
            print("worked")
    """
    ended = run(source, workers=workers).check(out=None)
    # What main gives to a cown may be carried off, and the original dies at once.
    assert "worked" in ended.lines, str(ended)
    others = [line for line in ended.lines if line != "worked"]
    assert all(line == "ran" or line.startswith("refused: ") for line in others), str(ended)


@WORKERS
def test_weakref_finalizer(workers: int) -> None:
    source = """
        import weakref
        from bocpy import Cown, when

        class Thing:
            pass

        def finalize():
            @when(c)
            def show(c):
                print("finalized", c.value, flush=True)

        c = Cown(3)
        thing = Thing()
        weakref.finalize(thing, finalize)
    """
    run(source, workers=workers).check(out=["finalized 3"])


@WORKERS
def test_cowns_and_results_in_cycles(workers: int) -> None:
    """Cowns in reference cycles with their own values, results held by modules and by frames of generators."""
    source = """
        import sys
        from bocpy import Cown, when

        class Node:
            pass

        node = Node()
        node.cown = Cown(None)
        node.self = node

        @when(node.cown)
        def tie(c):
            c.value = [c]

        def generator():
            result = when(Cown(1))(one)
            yield result
            yield result

        def one(c):
            return c

        running = generator()
        next(running)
        sys.modules["kept"] = running
    """
    run(source, workers=workers).check(out=[])


@WORKERS
def test_executor_and_its_exit(workers: int) -> None:
    """concurrent.futures joins its threads at exit too: both kinds of work finish, also where they meet."""
    source = """
        import time
        from concurrent.futures import ThreadPoolExecutor
        from bocpy import Cown, when

        c = Cown(0)
        pool = ThreadPoolExecutor(2)

        def schedule(i):
            time.sleep(0.01)
            @when(c)
            def add(c):
                c.value += 1
                if c.value == 20:
                    print("added", c.value)

        for i in range(20):
            pool.submit(schedule, i)
    """
    run(source, workers=workers).check(out=["added 20"])


@WORKERS
def test_asyncio_program(workers: int) -> None:
    source = """
        import asyncio
        from bocpy import Cown, when

        async def main():
            c = Cown(0)
            for i in range(5):
                @when(c)
                def add(c):
                    c.value += 1
                await asyncio.sleep(0)
            print("value", await asyncio.to_thread(c.result))
            @when(c)
            def late(c):
                print("late", c.value)

        asyncio.run(main())
    """
    run(source, workers=workers).check(out=["value 5", "late 5"])


@WORKERS
def test_streams_replaced_at_the_end(workers: int) -> None:
    """What behaviors write goes to what sys.stdout is when the program ends, also if that is nothing."""
    source = """
        import io, sys
        from bocpy import Cown, when

        c = Cown(0)
        for i in range(50):
            @when(c)
            def say(c):
                print("said")

        @when(c)
        def end(c):
            pass
        sys.stdout = {stream}
    """
    run(source.format(stream="None"), workers=workers).check(out=None)
    run(source.format(stream="io.StringIO()"), workers=workers).check(out=None)
    run(source.format(stream="sys.stderr"), workers=workers).check(out=None, err=None)
