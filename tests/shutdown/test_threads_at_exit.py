"""Threads of the program that outlive the main thread's code, with and without an end of their own."""

from __future__ import annotations

import time

import pytest
from _program import INTERRUPTED, run, started

WORKERS = pytest.mark.parametrize("workers", [1, 8])


@WORKERS
def test_thread_that_goes_on_scheduling(workers: int) -> None:
    source = """
        import threading, time
        from bocpy import Cown, when

        c = Cown(0)

        def go_on():
            threading.main_thread().join()
            for i in range(100):
                @when(c)
                def add(c):
                    c.value += 1
                time.sleep(0.001)

            @when(c)
            def show(c):
                print("added", c.value)

        threading.Thread(target=go_on).start()
        print("end of main", flush=True)
    """
    run(source, workers=workers).check(out=["end of main", "added 100"])


@WORKERS
def test_first_behavior_comes_from_a_thread_after_main(workers: int) -> None:
    """The runtime starts when the main thread has nothing left to do but to end."""
    source = """
        import threading, time
        from bocpy import Cown, when

        def late():
            threading.main_thread().join()
            @when(Cown(1))
            def show(c):
                print("ran", c.value)
            print("result", show.result())

        threading.Thread(target=late).start()
    """
    ended = run(source, workers=workers).check(out=None)
    assert sorted(ended.lines) == ["ran 1", "result None"], str(ended)


@WORKERS
@pytest.mark.parametrize("call", ["bocpy.wait()", "bocpy.quiesce()", "print('result', last.result())"])
def test_thread_that_waits_after_main(call: str, workers: int) -> None:
    source = f"""
        import threading, time
        import bocpy
        from bocpy import Cown, when

        c = Cown(0)
        for i in range(50):
            @when(c)
            def last(c):
                time.sleep(0.001)
                c.value += 1
                return c.value

        def waits():
            threading.main_thread().join()
            {call}
            with c as value:
                print("value", value, flush=True)

        threading.Thread(target=waits).start()
    """
    ended = run(source, workers=workers).check(out=None)
    assert ended.lines[-1] == "value 50", str(ended)


@WORKERS
def test_thread_that_leaves(workers: int) -> None:
    """sys.exit in a thread ends that thread; an exception there is reported; the program goes on."""
    source = """
        import sys, threading
        from bocpy import Cown, when

        c = Cown(0)

        def leaves(how):
            @when(c)
            def add(c):
                c.value += 1
            with c:
                raise how

        threads = [threading.Thread(target=leaves, args=[how]) for how in (SystemExit(9), ValueError("in a thread"))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

        @when(c)
        def show(c):
            print("added", c.value)
    """
    ended = run(source, workers=workers).check(out=["added 2"], err=None)
    assert ended.err.count("ValueError: in a thread") == 1, str(ended)


@WORKERS
def test_threads_that_hold_when_main_ends(workers: int) -> None:
    source = """
        import threading, time
        from bocpy import Cown, when

        c = Cown([])
        held = threading.Event()

        def holds():
            with c as value:
                held.set()
                time.sleep(0.3)
                value.append("the thread")

        threading.Thread(target=holds).start()
        held.wait()

        @when(c)
        def show(c):
            print(c.value, "then the behavior")
    """
    run(source, workers=workers).check(out=["['the thread'] then the behavior"])


@WORKERS
@pytest.mark.parametrize("pause", ["time.sleep(0.0005)", "pass"])
def test_daemon_thread_that_schedules_for_ever(pause: str, workers: int) -> None:
    """It does not keep the program alive: what it schedules during the end runs or is refused."""
    source = f"""
        import threading, time
        from bocpy import Cown, when

        c, busy = Cown(0), threading.Event()

        def add(c):
            c.value += 1

        def for_ever():
            while True:
                try:
                    when(c)(add)
                except RuntimeError:
                    return
                busy.set()
                {pause}

        threading.Thread(target=for_ever, daemon=True).start()
        busy.wait()

        @when(Cown("of main"))
        def show(c):
            print("ran", c.value)
    """
    run(source, workers=workers).check(out=["ran of main"])


BLOCKED = {
    "result": "late.result()",
    "wait": "bocpy.wait()",
    "quiesce": "bocpy.quiesce()",
    "with": "with c: pass",
    "acquire": "c.acquire()",
    "hold": "with hold(c, d): pass",
    "scope": "with scope() as s: s.when(c)(lambda c: None)",
    "event": "threading.Event().wait()",
}


@pytest.mark.parametrize("call", BLOCKED.values(), ids=BLOCKED.keys())
def test_daemon_thread_that_waits(call: str) -> None:
    """Blocked in the runtime while the interpreter ends under it: it is left there, or refused if it schedules."""
    source = f"""
        import threading, time
        import bocpy
        from bocpy import Cown, hold, scope, when

        c, d = Cown(0), Cown(1)
        begun = threading.Event()

        def slow(c):
            time.sleep(0.1)
            print("slow ended")

        late = when(c)(slow)

        def waits():
            begun.set()
            while True:
                try:
                    {call}
                except RuntimeError:
                    return

        for _ in range(2):
            threading.Thread(target=waits, daemon=True).start()
        begun.wait()
        time.sleep(0.02)
    """
    run(source, workers=2).check(out=["slow ended"])


def test_daemon_thread_that_holds_a_cown_for_ever() -> None:
    """What is queued behind it cannot run; the program waits for it until Ctrl-C."""
    source = """
        import threading, time
        from bocpy import Cown, when

        c = Cown(0)
        held = threading.Event()

        def holds():
            with c:
                held.set()
                threading.Event().wait()

        threading.Thread(target=holds, daemon=True).start()
        held.wait()

        @when(c)
        def never(c):
            print("never")
        print("end of main", flush=True)
    """
    with started(source, workers=2) as program:
        program.expect("end of main")
        time.sleep(0.3)
        program.send()
        program.end().check(code=INTERRUPTED, out=["end of main"], err=None)


@WORKERS
def test_many_threads_schedule_and_end(workers: int) -> None:
    """Threads that come and go, each with cowns and results of its own that die with it or after it."""
    source = """
        import threading
        from bocpy import Cown, when

        total = Cown(0)

        def add(c, total):
            total.value += c.value

        def body(n):
            mine = [Cown(i) for i in range(n)]
            for c in mine:
                when(c, total)(add)

        threads = [threading.Thread(target=body, args=[20]) for _ in range(60)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

        @when(total)
        def show(c):
            print("total", c.value)
    """
    run(source, workers=workers).check(out=[f"total {60 * sum(range(20))}"])
