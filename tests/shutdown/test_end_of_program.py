"""Programs that end without wait(): everything scheduled still runs, the output and the exit code are right."""

from __future__ import annotations

import signal

import pytest
from _program import run, started

WORKERS = pytest.mark.parametrize("workers", [1, 8])

QUEUED = """
    from bocpy import Cown, when

    c = Cown(0)
    for i in range(100):
        @when(c)
        def add(c):
            c.value += 1

    @when(c)
    def show(c):
        print("added", c.value)
"""


@WORKERS
@pytest.mark.parametrize("command", ["file", "-c", "stdin"])
def test_queued(workers: int, command: str) -> None:
    source = QUEUED if command != "-c" else "\n".join(line[4:] for line in QUEUED.splitlines())
    run(source, workers=workers, command=command).check(out=["added 100"])


def test_queued_in_development_mode() -> None:
    run(QUEUED, workers=2, options=["-X", "dev"]).check(out=["added 100"])


@WORKERS
def test_nothing_scheduled(workers: int) -> None:
    run("import bocpy\nprint('end')", workers=workers).check(out=["end"])
    run("import bocpy\nc = bocpy.Cown([1])\nprint('end')", workers=workers).check(out=["end"])
    run("import bocpy\nbocpy.start()\nprint('end')", workers=workers).check(out=["end"])


@WORKERS
def test_running(workers: int) -> None:
    source = """
        import time
        from bocpy import Cown, when

        for i in range(8):
            @when(Cown(i))
            def slow(c):
                time.sleep(0.05)
                print(f"slept {c.value}\\n", end="")
        print("end of main", flush=True)
    """
    ended = run(source, workers=workers).check(out=None)
    assert sorted(ended.lines) == ["end of main"] + [f"slept {i}" for i in range(8)]


@WORKERS
def test_nested(workers: int) -> None:
    source = """
        from bocpy import Cown, when

        def step(c):
            c.value += 1
            if c.value < 2000:
                when(c)(step)
            else:
                @when(c)
                def last(c):
                    @when(c, Cown(7))
                    def really_last(c, d):
                        print("steps", c.value, d.value)

        when(Cown(0))(step)
    """
    run(source, workers=workers).check(out=["steps 2000 7"])


@WORKERS
def test_thousands_queued(workers: int) -> None:
    source = """
        from bocpy import Cown, read, when

        cowns = [Cown(0) for _ in range(50)]
        for i in range(20_000):
            @when(cowns[i % 50], cowns[i * 7 % 50])
            def add(a, b):
                a.value += 1
        total = read(cowns)

        @when(total)
        def show(cowns):
            print("total", sum(c.value for c in cowns))
    """
    run(source, workers=workers).check(out=["total 20000"])


@WORKERS
def test_results_of_results(workers: int) -> None:
    source = """
        from bocpy import Cown, when

        result = Cown(1)
        for i in range(500):
            @when(result)
            def result(r):
                return r.value + 1

        @when(result)
        def show(r):
            print("result", r.value)
    """
    run(source, workers=workers).check(out=["result 501"])


@WORKERS
@pytest.mark.parametrize(
    ("how", "code", "err"),
    [
        ("sys.exit()", 0, ""),
        ("sys.exit(0)", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('the reason')", 1, "the reason\n"),
        ("raise SystemExit(4)", 4, ""),
        ("raise ValueError('the reason')", 1, "ValueError: the reason\n"),
    ],
)
def test_exit_code(how: str, code: int, err: str, workers: int) -> None:
    source = f"""
        import sys, time
        from bocpy import Cown, when

        c = Cown([])
        for i in range(20):
            @when(c)
            def add(c):
                time.sleep(0.001)
                c.value.append(i)

        @when(c)
        def show(c):
            print("ran", len(c.value))

        {how}
    """
    ended = run(source, workers=workers).check(code=code, out=["ran 20"], err=None)
    assert ended.err.endswith(err), str(ended)
    assert ended.err.count("Traceback") == ("Traceback" in ended.err) == how.startswith("raise V"), str(ended)


@WORKERS
@pytest.mark.parametrize("how", ["pass", "sys.exit(3)", "raise ValueError"])
def test_inside_with(how: str, workers: int) -> None:
    """Leaving `with` by the way out gives the cown to what is queued on it."""
    source = f"""
        import sys
        from bocpy import Cown, when

        c = Cown(1)
        with c as value:
            @when(c)
            def show(c):
                print("after the hold", c.value)
            print("held", value)
            {how}
    """
    code = {"pass": 0, "sys.exit(3)": 3, "raise ValueError": 1}[how]
    run(source, workers=workers).check(code=code, out=["held 1", "after the hold 1"], err=None)


@WORKERS
def test_hold_never_given_back(workers: int) -> None:
    """A cown that main acquired and kept goes back when main ends: what waits for it runs."""
    source = """
        from bocpy import Cown, when

        c = Cown(1)
        c.acquire()
        c.value = 2

        @when(c)
        def show(c):
            print("saw", c.value)
        print("main holds", c.acquired)
    """
    run(source, workers=workers).check(out=["main holds True", "saw 2"])


@WORKERS
@pytest.mark.parametrize("how", ["sys.exit(3)", "raise ValueError"])
def test_inside_scope(how: str, workers: int) -> None:
    """What had not begun is canceled, what runs is awaited, and what was scheduled outside runs."""
    source = f"""
        import sys, time
        from bocpy import CancelledError, Cown, receive, scope, send, when

        outside, inside = Cown(0), Cown(0)

        @when(outside)
        def first(c):
            print("outside\\n", end="")

        with scope():
            @when(inside)
            def running(c):
                send("begun", 1)
                try:
                    receive("never")
                except CancelledError:  # so the cancellation was before the end of this one
                    time.sleep(0.2)
                    print("was running\\n", end="")

            @when(inside)
            def unbegun(c):
                print("never")

            receive("begun")
            {how}
    """
    code = {"sys.exit(3)": 3, "raise ValueError": 1}[how]
    ended = run(source, workers=workers).check(code=code, err=None)
    assert sorted(ended.lines) == ["outside", "was running"], str(ended)
    assert "CancelledError" not in ended.err, str(ended)


@WORKERS
@pytest.mark.parametrize("how", ["sys.exit(3)", "raise ValueError"])
def test_inside_batch(how: str, workers: int) -> None:
    """An exception in a batch schedules nothing of it; what was there before runs."""
    source = f"""
        import sys
        from bocpy import Cown, batch, when

        c = Cown(0)

        @when(c)
        def before(c):
            print("before")

        with batch():
            @when(c)
            def member(c):
                print("never")
            {how}
    """
    code = {"sys.exit(3)": 3, "raise ValueError": 1}[how]
    ended = run(source, workers=workers).check(code=code, out=["before"], err=None)
    assert "CancelledError" not in ended.err, str(ended)


@WORKERS
def test_inside_batch_falling_off(workers: int) -> None:
    source = """
        from bocpy import Cown, batch, scope, when

        c = Cown(0)
        with scope(), batch():
            for i in range(10):
                @when(c)
                def member(c):
                    c.value += 1

        @when(c)
        def show(c):
            print("members", c.value)
    """
    run(source, workers=workers).check(out=["members 10"])


@WORKERS
def test_after_wait(workers: int) -> None:
    """A wait() before the end takes nothing away from what is scheduled after it."""
    source = """
        import bocpy
        from bocpy import Cown, when

        c = Cown(0)
        for round in range(3):
            @when(c)
            def add(c):
                c.value += 1
            bocpy.wait()
        bocpy.quiesce()

        @when(c)
        def show(c):
            print("added", c.value)
    """
    run(source, workers=workers).check(out=["added 3"])


@WORKERS
def test_os_exit(workers: int) -> None:
    source = """
        import os, time
        from bocpy import Cown, when

        for i in range(100):
            @when(Cown(i))
            def slow(c):
                time.sleep(1)
        time.sleep(0.02)
        os._exit(5)
    """
    run(source, workers=workers).check(code=5, out=[])


@WORKERS
def test_os_exit_in_a_behavior(workers: int) -> None:
    source = """
        import os
        from bocpy import Cown, when, wait

        @when(Cown(0))
        def leave(c):
            os._exit(6)
        wait()
    """
    run(source, workers=workers).check(code=6, out=[])


@WORKERS
def test_exec_replaces_the_program(workers: int) -> None:
    source = """
        import os, sys, time
        from bocpy import Cown, when

        for i in range(100):
            @when(Cown(i))
            def slow(c):
                time.sleep(1)
        time.sleep(0.02)
        os.execv(sys.executable, [sys.executable, "-c", "print('the new program')"])
    """
    run(source, workers=workers).check(out=["the new program"])


@WORKERS
def test_system_exit_in_a_behavior_is_its_result(workers: int) -> None:
    source = """
        import bocpy
        from bocpy import Cown, when

        @when(Cown(0))
        def leave(c):
            raise SystemExit(9)

        @when(leave)
        def show(r):
            print(r.exception, type(r.value).__name__)
    """
    run(source, workers=workers).check(out=["True SystemExit"])


@WORKERS
def test_output_that_nobody_reads(workers: int) -> None:
    """A reader that has gone away (`| head`) ends the output, not the ability to end."""
    source = """
        import os
        from bocpy import Cown, when

        reader, writer = os.pipe()
        os.dup2(writer, 1)
        os.close(reader)
        c = Cown(0)
        for i in range(2000):
            @when(c)
            def write(c):
                c.value += 1
                print("a line that is long enough to fill the buffer of a file " * 4)

        @when(c)
        def report(c):
            os.write(2, f"ran {c.value}\\n".encode())
    """
    # Writing fails in the behaviors or, unseen by them, later: both are fine. 120: Python's own last flush failed.
    ended = run(source, workers=workers)
    assert ended.code in (0, 1, 120), str(ended)
    assert "ran " in ended.err and "Fatal" not in ended.err and "terminate" not in ended.err, str(ended)


def test_killed_by_a_signal() -> None:
    """SIGTERM's default action ends the program at once, whatever is queued (also while it drains)."""
    source = """
        import time
        from bocpy import Cown, when

        c = Cown(0)
        for i in range(1000):
            @when(c)
            def slow(c):
                time.sleep(0.1)
        print("queued", flush=True)
    """
    with started(source, workers=2) as program:
        program.expect("queued")
        program.send(signal.SIGTERM)
        program.end().check(code=-signal.SIGTERM, out=["queued"])
