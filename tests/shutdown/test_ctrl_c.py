"""Ctrl-C: in every call that waits, at the end of a program, and twice.

In all of these a behavior runs until the test (or the program, once interrupted) opens its gate: a file that comes
into being. A Ctrl-C that is only seen when the waiting is over would never be seen at all.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path

import pytest
from _program import INTERRUPTED, run, started

WORKERS = pytest.mark.parametrize("workers", [1, 8])

# After a marker the program still has to reach the call that the test is about; arriving early is no error, only
# another test.
REACH = 0.15

WAITS = {
    "wait": "bocpy.wait()",
    "wait with timeout": "bocpy.wait(50)",
    "quiesce": "bocpy.quiesce()",
    "result": "runs.result()",
    "result with timeout": "runs.result(timeout=50)",
    "with": "with c: pass",
    "acquire with timeout": "c.acquire(timeout=50)",
    "hold": "with hold(Cown(1), c): pass",
    "scope exit": "with scope() as s: s.when(c)(after)",
    "receive": "bocpy.receive('never')",
    "receive with timeout": "bocpy.receive(['never', 'nor this'], 50)",
    "scope wait": "with scope() as s: s.when(c)(after); s.wait()",
}


@pytest.mark.parametrize("call", WAITS.values(), ids=WAITS.keys())
def test_while_waiting(call: str, tmp_path: Path) -> None:
    """KeyboardInterrupt comes out of the call, and the runtime goes on: what was queued runs, what is new too."""
    source = f"""
        import os, sys, time
        import bocpy
        from bocpy import Cown, hold, scope, when

        gate = sys.argv[1]
        c = Cown(["value"])

        def after(c):
            c.value.append("after")

        @when(c)
        def runs(c):
            while not os.path.exists(gate):
                time.sleep(0.005)

        when(c)(after)
        try:
            print("waiting", flush=True)
            {call}
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        open(gate, "w").close()

        @when(c)
        def last(c):
            return len(c.value) >= 2
        print(last.result(timeout=50))
        bocpy.wait()
        with c as value:
            print(value[:2])
    """
    with started(source, str(tmp_path / "gate"), workers=2) as program:
        program.expect("waiting")
        time.sleep(REACH)
        program.send()
        program.end().check(out=["waiting", "interrupted", "True", "['value', 'after']"])


def test_again_and_again(tmp_path: Path) -> None:
    source = """
        import os, sys, time
        import bocpy
        from bocpy import Cown, when

        gate = sys.argv[1]
        c = Cown(0)

        @when(c)
        def runs(c):
            while not os.path.exists(gate):
                time.sleep(0.005)
            c.value += 1

        for call in (bocpy.wait, bocpy.quiesce, runs.result, c.acquire) * 2:
            try:
                print("waiting", flush=True)
                call()
            except KeyboardInterrupt:
                print("interrupted", flush=True)
        open(gate, "w").close()
        with c as value:
            print("value", value)
    """
    with started(source, str(tmp_path / "gate"), workers=2) as program:
        for _ in range(8):
            program.expect("waiting")
            time.sleep(0.05)
            program.send()
            program.expect("interrupted")
        program.end().check(out=["waiting", "interrupted"] * 8 + ["value 1"])


QUEUE_BEHIND = """
    import os, sys, time
    import bocpy
    from bocpy import Cown, scope, when

    gate = sys.argv[1]
    c = Cown(0)

    @when(c)
    def runs(c):
        sys.stdout.write("running\\n")
        sys.stdout.flush()
        while not os.path.exists(gate):
            time.sleep(0.005)
        print("the running one ended")

    for i in range(2000):
        @when(c)
        def queued(c):
            time.sleep(0.01)
            print("queued ran")
    {end}
"""


@WORKERS
@pytest.mark.parametrize(
    "end",
    [
        "bocpy.wait()",
        "bocpy.quiesce()",
        "with c: pass",
        "with scope() as s: s.when(c)(lambda c: None)",
        "time.sleep(100)",
    ],
)
def test_ends_the_program(end: str, workers: int, tmp_path: Path) -> None:
    """Not caught: what is queued is dropped, what runs ends, and the exit code tells of the signal."""
    source = QUEUE_BEHIND.format(end=end)
    gate = tmp_path / "gate"
    with started(source, str(gate), workers=workers) as program:
        program.expect("running")
        time.sleep(REACH)
        program.send()
        time.sleep(0.5)
        gate.touch()
        ended = program.end().check(code=INTERRUPTED, err=None)
    assert "the running one ended" in ended.lines, str(ended)
    # The gate may open before everything is dropped, on a machine that is busy enough.
    assert ended.lines.count("queued ran") < 2000, str(ended)
    assert ended.err.count("KeyboardInterrupt") == 1 and "CancelledError" not in ended.err, str(ended)


@WORKERS
@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise ValueError"])
def test_while_draining(end: str, workers: int, tmp_path: Path) -> None:
    """The program is at its end already, and waits for what is scheduled: the same."""
    source = QUEUE_BEHIND.format(end=f"sys.stdout.write('end of main\\n'); sys.stdout.flush()\n    {end}")
    gate = tmp_path / "gate"
    with started(source, str(gate), workers=workers) as program:
        program.expect("running", "end of main")
        if end == "raise ValueError":
            program.expect_error("ValueError")
        time.sleep(0.4)
        program.send()
        time.sleep(0.5)
        gate.touch()
        ended = program.end().check(code=INTERRUPTED, err=None)
    assert "the running one ended" in ended.lines, str(ended)
    assert ended.lines.count("queued ran") < 2000, str(ended)
    assert "CancelledError" not in ended.err, str(ended)


FOR_EVER = """
    import sys
    import bocpy
    from bocpy import Cown, when

    def again(c):
        c.value += 1
        when(c)(again)

    for _ in range({chains}):
        when(Cown(0))(again)
    print("started", flush=True)
    {end}
"""


@WORKERS
@pytest.mark.parametrize("end", ["", "bocpy.wait()", "sys.exit(3)", "raise ValueError"])
def test_behaviors_that_go_on_for_ever(end: str, workers: int) -> None:
    with started(FOR_EVER.format(chains=4, end=end), workers=workers) as program:
        program.expect("started")
        if end == "raise ValueError":
            program.expect_error("ValueError")
        time.sleep(0.4)
        assert program.process.poll() is None, "ended by itself"
        program.send()
        program.end().check(code=INTERRUPTED, out=["started"], err=None)


def test_a_tree_that_grows_for_ever() -> None:
    """Each behavior schedules two more on fresh cowns: the queue grows while the program ends."""
    source = """
        from bocpy import Cown, when

        def grow(c):
            when(Cown(c.value + 1))(grow)
            when(Cown(c.value + 1))(grow)

        when(Cown(0))(grow)
        print("started", flush=True)
    """
    with started(source, workers=2) as program:
        program.expect("started")
        time.sleep(0.3)
        program.send()
        program.end().check(code=INTERRUPTED, out=["started"], err=None)


ENDLESS_BODY = """
    import bocpy
    from bocpy import Cown, when

    @when(Cown(0))
    def never_ends(c):
        print("running", flush=True)
        while True:
            pass
    {end}
"""


@WORKERS
@pytest.mark.parametrize("end", ["pass", "bocpy.wait()", "print(never_ends.result())"])
def test_twice_leaves_at_once(end: str, workers: int) -> None:
    """The first Ctrl-C waits for the body that never ends, the second does not."""
    with started(ENDLESS_BODY.format(end=end), workers=workers) as program:
        program.expect("running")
        time.sleep(0.4)
        program.send()
        if end != "pass":  # then it interrupts the call and not the draining
            program.expect_error("KeyboardInterrupt")
        time.sleep(1.0)
        assert program.process.poll() is None, "did not wait for the running behavior"
        program.send()
        ended = program.end().check(code=INTERRUPTED, err=None)
    assert ended.lines == ["running"], str(ended)


def test_twice_while_a_thread_of_the_program_goes_on() -> None:
    """Python itself waits for a thread that is no daemon; Ctrl-C ends that as it would without bocpy."""
    source = """
        import threading
        from bocpy import Cown, when

        threading.Thread(target=threading.Event().wait).start()

        @when(Cown(0))
        def works(c):
            print("worked", flush=True)
    """
    with started(source, workers=2) as program:
        program.expect("worked")
        time.sleep(0.3)
        # Those that come while the program is stopped count as one, so the last ones come late.
        for pause in (0.3, 0.3, 0.3, 0.3, 3, 10, 30):
            program.send()
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.process.wait(pause)
                break
        ended = program.end()
    assert "Fatal" not in ended.err and "terminate" not in ended.err, str(ended)


@WORKERS
def test_caught_and_cleaned_up(workers: int, tmp_path: Path) -> None:
    """A program that catches it and ends by itself runs what is queued: only an uncaught one drops."""
    source = """
        import os, sys, time
        import bocpy
        from bocpy import Cown, when

        gate = sys.argv[1]
        c = Cown(0)

        @when(c)
        def runs(c):
            while not os.path.exists(gate):
                time.sleep(0.005)

        for i in range(50):
            @when(c)
            def add(c):
                c.value += 1
        try:
            print("waiting", flush=True)
            bocpy.wait()
        except KeyboardInterrupt:
            open(gate, "w").close()

        @when(c)
        def show(c):
            print("added", c.value)
        sys.exit(7)
    """
    with started(source, str(tmp_path / "gate"), workers=workers) as program:
        program.expect("waiting")
        time.sleep(REACH)
        program.send()
        program.end().check(code=7, out=["waiting", "added 50"])


@WORKERS
@pytest.mark.parametrize("command", ["file", "-c", "-m"])
def test_code_run_from_strings_does_not_hide_it(command: str, workers: int) -> None:
    """CPython's note that Ctrl-C has ended the program outlasts what takes it down."""
    source = """
        import os, time
        from bocpy import Cown, when

        begun, tell = os.pipe()

        @when(Cown(0))
        def runs(c):
            os.write(tell, b"x")
            time.sleep(0.2)
            exec("pass")
            print("ran", flush=True)

        os.read(begun, 1)  # what has not begun would be dropped
        raise KeyboardInterrupt
    """
    run(source, workers=workers, command=command).check(code=INTERRUPTED, out=["ran"], err=None)


def test_one_that_was_printed_does_not_end_the_program() -> None:
    """As an interpreter within the program does, or a window's main loop."""
    source = """
        import code
        from bocpy import Cown, when

        code.InteractiveInterpreter().runcode(compile("raise KeyboardInterrupt", "<console>", "exec"))
        when(Cown(0))(lambda c: print("ran", flush=True))
    """
    run(source).check(out=["ran"], err=None)


def test_finally_blocks_still_use_the_runtime(tmp_path: Path) -> None:
    """On the way out of the program, before it ends, nothing is dropped yet."""
    source = """
        import os, sys, time
        import bocpy
        from bocpy import Cown, when

        gate = sys.argv[1]
        c = Cown(0)

        @when(c)
        def runs(c):
            while not os.path.exists(gate):
                time.sleep(0.005)
            return "the gate was opened"
        try:
            print("waiting", flush=True)
            bocpy.wait()
        finally:
            open(gate, "w").close()
            print(runs.result(), flush=True)
    """
    with started(source, str(tmp_path / "gate"), workers=2) as program:
        program.expect("waiting")
        time.sleep(REACH)
        program.send()
        ended = program.end().check(code=INTERRUPTED, out=["waiting", "the gate was opened"], err=None)
    assert ended.err.count("KeyboardInterrupt") == 1, str(ended)


def test_abandoned_requests_leave_the_queue_in_order(tmp_path: Path) -> None:
    """An interrupted `with` gives up its place: behaviors before and after it run in their order."""
    source = """
        import os, sys, time
        from bocpy import Cown, when

        gate = sys.argv[1]
        c = Cown([])

        @when(c)
        def runs(c):
            while not os.path.exists(gate):
                time.sleep(0.005)

        for i in range(5):
            @when(c)
            def before(c):
                c.value.append(i)
            try:
                print("waiting", flush=True)
                with c:
                    print("got it")
            except KeyboardInterrupt:
                pass
        open(gate, "w").close()
        with c as value:
            print(value)
    """
    with started(source, str(tmp_path / "gate"), workers=2) as program:
        for _ in range(5):
            program.expect("waiting")
            time.sleep(0.1)
            program.send()
        program.end().check(out=["waiting"] * 5 + ["[0, 1, 2, 3, 4]"])
