"""Signals other than Ctrl-C, and handlers of the program: they run on main, promptly, also while it waits."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from _program import run, started

WORKERS = pytest.mark.parametrize("workers", [1, 8])

GATED = """
    import os, signal, sys, time
    import bocpy
    from bocpy import Cown, when

    gate = sys.argv[1]
    c = Cown(0)

    @when(c)
    def runs(c):
        while not os.path.exists(gate):
            time.sleep(0.005)
        c.value += 1

    @when(c)
    def show(c):
        sys.stdout.write(f"value {{c.value}}\\n")
    {rest}
"""


@WORKERS
@pytest.mark.parametrize("call", ["bocpy.wait()", "bocpy.quiesce()", "runs.result()", "with c: pass"])
def test_handler_runs_while_main_waits(call: str, workers: int, tmp_path: Path) -> None:
    """The handler opens the gate: if it only ran after the waiting, nothing would ever run. The waiting goes on."""
    rest = f"""
    def handler(number, frame):
        os.write(1, b"handled\\n")  # a print that it interrupts may still have the buffer
        open(gate, "w").close()
    signal.signal(signal.SIGUSR1, handler)
    print("waiting", flush=True)
    {call}
    sys.stdout.write("waited\\n")
    """
    with started(GATED.format(rest=rest), str(tmp_path / "gate"), workers=workers) as program:
        program.expect("waiting")
        time.sleep(0.1)
        program.send(signal.SIGUSR1)
        ended = program.end().check(out=None)
    assert ended.lines[:2] == ["waiting", "handled"] and set(ended.lines[2:]) == {"waited", "value 1"}, str(ended)


@WORKERS
def test_handler_runs_while_the_program_drains(workers: int, tmp_path: Path) -> None:
    rest = """
    signal.signal(signal.SIGUSR1, lambda number, frame: open(gate, "w").close())
    print("end of main", flush=True)
    """
    with started(GATED.format(rest=rest), str(tmp_path / "gate"), workers=workers) as program:
        program.expect("end of main")
        time.sleep(0.2)
        program.send(signal.SIGUSR1)
        program.end().check(out=["end of main", "value 1"])


def test_exception_of_a_handler_comes_out_of_the_call(tmp_path: Path) -> None:
    rest = """
    class Enough(Exception):
        pass

    def handler(number, frame):
        raise Enough
    signal.signal(signal.SIGALRM, handler)
    for call in (bocpy.wait, bocpy.quiesce, runs.result, c.acquire):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            call()
        except Enough:
            print("enough")
    open(gate, "w").close()
    """
    run(GATED.format(rest=rest), str(tmp_path / "gate"), workers=2).check(out=["enough"] * 4 + ["value 1"])


@WORKERS
def test_handler_that_schedules_and_waits(workers: int) -> None:
    """A handler interrupts main anywhere, also between the steps of a @when of its own."""
    source = """
        import signal
        import bocpy
        from bocpy import Cown, when

        c = Cown(0)
        ticks = 0

        def add(c):
            c.value += 1

        def handler(number, frame):
            global ticks
            ticks += 1
            when(c)(add)
            if ticks % 10 == 0:
                bocpy.quiesce()
            if ticks < 100:
                signal.setitimer(signal.ITIMER_REAL, 0.001)

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        scheduled = 0
        while ticks < 100:
            when(c)(add)
            scheduled += 1
            if scheduled % 100 == 0:
                bocpy.wait()
        with c as value:
            print(value == scheduled + ticks)
    """
    run(source, workers=workers).check(out=["True"])


@WORKERS
def test_ticking_while_everything_runs(workers: int) -> None:
    """No system call of the runtime takes an interrupted one for an error, no count is lost."""
    source = """
        import signal, time
        import bocpy
        from bocpy import Cown, when

        ticks = []
        signal.signal(signal.SIGALRM, lambda number, frame: ticks.append(number))
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)

        c = Cown(0)
        for round in range(20):
            for i in range(200):
                @when(c, Cown(i))
                def add(c, d):
                    c.value += 1
                    if d.value == 0:
                        time.sleep(0.005)
            bocpy.wait() if round % 2 else bocpy.quiesce()
        signal.setitimer(signal.ITIMER_REAL, 0)
        with c as value:
            print("added", value, len(ticks) > 5)
    """
    run(source, workers=workers).check(out=["added 4000 True"])


def test_ignored_interrupt(tmp_path: Path) -> None:
    rest = """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, lambda number, frame: open(gate, "w").close())
    print("waiting", flush=True)
    bocpy.wait()
    """
    with started(GATED.format(rest=rest), str(tmp_path / "gate"), workers=2) as program:
        program.expect("waiting")
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGUSR1):
            time.sleep(0.1)
            program.send(number)
        program.end().check(out=["waiting", "value 1"])


def test_interrupt_with_a_handler_of_the_program(tmp_path: Path) -> None:
    """Twice Ctrl-C means the program's own handler twice: the runtime takes it from nobody."""
    rest = """
    pressed = []

    def handler(number, frame):
        pressed.append(number)
        os.write(1, b"pressed\\n")  # a print that it interrupts may still have the buffer
        if len(pressed) == 2:
            open(gate, "w").close()
    signal.signal(signal.SIGINT, handler)
    print("end of main", flush=True)
    """
    with started(GATED.format(rest=rest), str(tmp_path / "gate"), workers=2) as program:
        program.expect("end of main")
        for _ in range(2):
            time.sleep(0.2)
            program.send()
            program.expect("pressed")
        program.end().check(out=["end of main", "pressed", "pressed", "value 1"])


@WORKERS
def test_sigterm(workers: int, tmp_path: Path) -> None:
    """Its default action, in every state: the program is gone at once."""
    for rest in ("bocpy.wait()", "pass", "time.sleep(60)", "while True: pass"):
        source = GATED.format(rest=f'print("ready", flush=True)\n    {rest}')
        with started(source, str(tmp_path / "gate"), workers=workers) as program:
            program.expect("ready")
            time.sleep(0.1)
            program.send(signal.SIGTERM)
            program.end().check(code=-signal.SIGTERM, out=["ready"])


@WORKERS
@pytest.mark.parametrize("call", ["bocpy.wait()", "runs.result()", "time.sleep(60)", "with c: pass"])
def test_sigterm_with_a_handler_that_exits(call: str, workers: int, tmp_path: Path) -> None:
    """SystemExit is an ordinary end: what is scheduled still runs, and the code is the handler's."""
    rest = f"""
    def handler(number, frame):
        open(gate, "w").close()
        sys.exit(7)
    signal.signal(signal.SIGTERM, handler)
    print("ready", flush=True)
    {call}
    """
    with started(GATED.format(rest=rest), str(tmp_path / "gate"), workers=workers) as program:
        program.expect("ready")
        time.sleep(0.1)
        program.send(signal.SIGTERM)
        program.end().check(code=7, out=["ready", "value 1"])


def test_signals_reach_main_and_no_worker() -> None:
    """A signal of the process may be delivered to any thread of it; handlers see main's frames only."""
    source = """
        import os, signal, threading, time
        import bocpy
        from bocpy import Cown, when

        where = []
        signal.signal(signal.SIGUSR1, lambda n, f: where.append(threading.current_thread() is threading.main_thread()))
        pid = os.getpid()

        @when(Cown(0))
        def sends(c):
            for i in range(20):
                os.kill(pid, signal.SIGUSR1)
                time.sleep(0.002)
        bocpy.wait()
        print(len(where) >= 1, all(where))
    """
    run(source, workers=2).check(out=["True True"])
