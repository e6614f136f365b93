"""Stopping and starting again as often as one likes; memory that does not grow with what has run."""

from __future__ import annotations

import sys

import pytest
from _program import run

RSS = """
    import gc, os

    def rss():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
"""

NEEDS_PROC = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/statm")

# MiB. What is looked for grows with every round, to many times this: 300,000 times 100 bytes are 28 MiB.
MARGIN = 12


def grown(source: str, margin: int = MARGIN, **how: object) -> None:
    """Runs a program that prints its memory early and late, and what it did."""
    ended = run(RSS + source, **how).check(out=None)  # type: ignore[arg-type]
    early, late = map(float, ended.lines[-1].split())
    assert late - early < margin, f"{early} MiB early, {late} MiB late\n{ended}"
    assert ended.lines[:-1] == ["done"], str(ended)


@NEEDS_PROC
def test_two_hundred_restarts() -> None:
    grown(
        """
    import threading
    import bocpy
    from bocpy import Cown, when

    kept = Cown([0])

    def add(c):
        c.value[0] += 1

    def twice(c):
        return 2 * c.value

    threads = threading.active_count()
    for i in range(200):
        bocpy.start(worker_count=1 + i % 4)
        when(kept)(add)
        result = when(Cown(i))(twice)
        bocpy.wait()
        assert result.value == 2 * i and kept.value == [i + 1], (i, kept.value)
        if i == 40:
            early = rss()
    late = rss()
    print("done")
    print(early, late)
    """
    )


def test_restarts_by_the_next_behavior() -> None:
    """Nobody calls start: the first @when after a wait() does."""
    source = """
        import bocpy
        from bocpy import Cown, when

        kept = Cown("")
        results = []
        for i in range(100):
            @when(kept)
            def add(c):
                c.value += "x"
                return len(c.value)
            results.append(add)
            if i % 3:
                bocpy.wait()
                bocpy.wait()
        print(kept.result() == "x" * 100, [r.result() for r in results] == list(range(1, 101)))
    """
    for workers in (1, 8):
        run(source, workers=workers).check(out=["True True"])


def test_threads_that_stop_and_start() -> None:
    """Threads that schedule while others stop the runtime: an @when during the stop starts it afresh."""
    source = """
        import threading
        import bocpy
        from bocpy import Cown, when

        total = Cown(0)

        def add(c):
            c.value += 1

        def body():
            for i in range(100):
                when(total)(add)
                if i % 10 == 0:
                    bocpy.wait()

        threads = [threading.Thread(target=body) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        print("total", total.result())
    """
    for workers in (1, 8):
        run(source, workers=workers).check(out=["total 800"])


@NEEDS_PROC
@pytest.mark.parametrize("rest", ["bocpy.quiesce()", "bocpy.wait()"])
def test_many_behaviors(rest: str) -> None:
    """300,000 behaviors with fresh cowns, captures and results."""
    # In a function: once 3.13t has seen a second thread, it never frees a function made at module level, bocpy or not.
    grown(
        f"""
    import bocpy
    from bocpy import Cown, when

    total = Cown(0)

    def schedule():
        for i in range(10_000):
            @when(total, Cown([i]))
            def add(c, d, extra=i):
                c.value += 1
                return [d.value, extra]

    for round in range(30):
        schedule()
        {rest}
        if round == 5:
            early = rss()
    late = rss()
    assert total.result() == 300_000
    print("done")
    print(early, late)
    """,
        workers=2,
    )


@NEEDS_PROC
def test_many_failing_behaviors() -> None:
    """60,000 failures, half of them reported through the hook, half looked at: none stays."""
    grown(
        """
    import sys
    import bocpy
    from bocpy import Cown, when

    reported = []
    sys.unraisablehook = lambda args: reported.append(args.exc_type is ValueError)

    def breaks(c):
        local = [c.value] * 100
        raise ValueError(f"number {local[0]}")

    def looks(r):
        assert type(r.value) is ValueError

    for round in range(30):
        for i in range(1_000):
            when(Cown(i))(breaks)
            when(when(Cown(i))(breaks))(looks)
        bocpy.quiesce()
        if round == 5:
            early = rss()
    late = rss()
    bocpy.wait()
    assert len(reported) == 30_000 and all(reported), len(reported)
    print("done")
    print(early, late)
    """,
        workers=2,
    )


@NEEDS_PROC
def test_behaviors_that_replace_values() -> None:
    """Large values die when they are replaced, not when the program ends."""
    grown(
        """
    import bocpy
    from bocpy import Cown, when

    cowns = [Cown(b"") for _ in range(4)]

    def fill(c):
        c.value = bytes(1_000_000)

    def drop(c):
        c.value = None

    for round in range(300):
        for c in cowns:
            when(c)(fill)
            when(c)(drop)
        bocpy.quiesce()
        if round == 100:
            early = rss()
    late = rss()
    print("done")
    print(early, late)
    """,
        margin=60,  # of 800 MB; each worker's allocator may keep a dozen free blocks of this size
        workers=2,
    )


@NEEDS_PROC
def test_abandoned_waits() -> None:
    """Timeouts of every kind, a thousand times: the requests that were given up go with the queue they stood in."""
    grown(
        """
    import bocpy
    from bocpy import Cown, when

    opened_in, opened_out = os.pipe()

    def slow(c):
        os.read(opened_in, 1)

    c = Cown(0)
    given_up = 0
    for round in range(300):
        running = when(c)(slow)
        for call in (c.result, c.acquire, bocpy.quiesce, bocpy.wait, running.result):
            try:
                call(timeout=0.0001)
            except TimeoutError:
                given_up += 1
        os.write(opened_out, b"x")
        if round == 50:
            early = rss()
    bocpy.wait()
    late = rss()
    assert given_up == 1500, given_up
    print("done")
    print(early, late)
    """,
        workers=2,
    )
