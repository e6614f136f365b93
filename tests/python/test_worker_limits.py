"""What an interpreter of a worker's own does not allow: the error names it, says why and what to do instead."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import threading

import pytest
from boc_testing import caught, output_of, run_python
from bocpy import Cown, start, when
from payload_testing import MOVING

OWN_INTERPRETER = pytest.mark.backend("subinterp", reason="on threads behaviors run in the main interpreter")


def start_daemon() -> None:
    threading.Thread(target=int, daemon=True).start()


def set_daemon() -> None:
    thread = threading.Thread(target=int)
    thread.daemon = True
    thread.start()


def catch_signal() -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def fork() -> None:
    if os.fork() == 0:
        os._exit(1)


CALLS = {
    "daemon": (start_daemon, "RuntimeError", ["daemon thread", "no daemon"]),
    "daemon set later": (set_daemon, "RuntimeError", ["daemon thread", "no daemon"]),
    "signal": (catch_signal, "ValueError", ["signal.signal()", "main thread"]),
    "fork": (fork, "RuntimeError", ["os.fork()", "subprocess"]),
}


@OWN_INTERPRETER
@pytest.mark.parametrize("what", CALLS)
def test_calls_that_are_refused(what: str) -> None:
    call, kind, texts = CALLS[what]
    for _ in range(2):
        name, text = when()(lambda: caught(call)).result()
        assert name == kind
        assert all(part in text for part in texts), text


@OWN_INTERPRETER
def test_the_main_interpreter_is_not_touched() -> None:
    when()(lambda: caught(catch_signal)).result()
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, before)
    thread = threading.Thread(target=int, daemon=True)
    thread.start()
    thread.join()


def test_threads_that_are_no_daemons_work() -> None:
    @when()
    def behavior():
        seen: list[int] = []
        threads = [threading.Thread(target=seen.append, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(seen)

    assert behavior.result() == [0, 1, 2]


def test_subprocesses_work() -> None:
    @when()
    def behavior():
        import subprocess

        return subprocess.run([sys.executable, "-c", "print(5)"], capture_output=True, check=True).stdout.strip()

    assert behavior.result() == b"5"


def test_many_standard_modules_can_be_imported() -> None:
    names = ["asyncio", "csv", "ctypes", "datetime", "decimal", "hashlib", "json", "logging", "lzma", "math", "pickle"]
    names += ["random", "select", "socket", "sqlite3", "ssl", "struct", "threading", "unicodedata", "xml.etree", "zlib"]
    start(2)

    @when()
    def behavior():
        import importlib

        return [name for name in names if caught(importlib.import_module, name)[0]]

    missing = [name for name in names if caught(__import__, name)[0]]
    if MOVING and sys.version_info < (3, 13):
        missing.append("ctypes")  # its extension module came to support such interpreters with 3.13
    assert sorted(behavior.result()) == sorted(missing)


REFUSED = """
    from bocpy import Cown, when
    def use(c):
        import {module}
        return {module}.__name__
    def use_global():
        return {module}.__name__
    first = when(Cown(1))(use)
    try:
        first.result()
    except ImportError as error:
        print("refused", error)
    else:
        print("imported")
        raise SystemExit
    import {module}
    try:
        second = when()(use_global).result()
    except Exception as error:
        print("again", type(error).__name__, error)
    else:
        print("again no error", second)
    print(when()(lambda: "alive").result())
"""


@OWN_INTERPRETER
@pytest.mark.parametrize("module", ["numpy", "_testsinglephase", "readline", "_curses", "_tkinter", "_ctypes_test"])
def test_extensions_that_refuse(module: str) -> None:
    """Whichever of these refuses on this version of Python: the import says so, and later the `@when` does."""
    if caught(__import__, module)[0]:
        pytest.skip(f"there is no {module} here")
    done = run_python(textwrap.dedent(REFUSED.format(module=module)))
    assert done.returncode == 0, done
    if done.stdout.startswith("imported"):
        return
    refused, again, alive = done.stdout.splitlines()
    for line in (refused, again):
        assert module in line and "BOCPY_BACKEND=threads" in line, done.stdout
    assert "interpreter" in refused and alive == "alive"


@OWN_INTERPRETER
def test_after_the_first_failure_the_when_refuses() -> None:
    """A function that names a module which no worker can import is refused before anything is scheduled."""
    if caught(__import__, "_testsinglephase")[0]:
        pytest.skip("this Python has no _testsinglephase")
    source = """
        import _testsinglephase as extension
        from bocpy import quiesce, when
        def use(): return extension.sum(1, 2)
        def other(): return extension.sum(3, 4)
        for function in (use, use, other):
            try: result = when()(function)
            except Exception as error: print("at the when", "_testsinglephase" in str(error))
            else:
                try: result.result()
                except Exception as error: print("in the behavior", "_testsinglephase" in str(error))
    """
    lines = output_of(textwrap.dedent(source)).splitlines()
    assert lines == ["in the behavior True", "at the when True", "at the when True"]


@OWN_INTERPRETER
def test_what_is_ready_for_the_failure_is_not_refused() -> None:
    """An import within a `try`, and one of a function that another behavior is made of."""
    if caught(__import__, "_testsinglephase")[0]:
        pytest.skip("this Python has no _testsinglephase")
    source = """
        from bocpy import PinnedCown, when
        def tries():
            try:
                import _testsinglephase
            except ImportError:
                return "something else"
            return "the extension"
        def schedules(pinned):
            @when(pinned)
            def on_main(pinned):
                import _testsinglephase
                return _testsinglephase.sum(1, 2)
            return on_main
        pinned = PinnedCown(None)
        for _ in range(3):
            print(when()(tries).result())
            print(when()(lambda: schedules(pinned)).result().result())
    """
    assert output_of(textwrap.dedent(source)).splitlines() == ["something else", "3"] * 3


def test_a_failure_leaves_the_worker_well() -> None:
    start(1)
    cown = Cown(0)
    for _ in range(5):
        when(cown)(lambda cown: caught(__import__, "no_such_module"))
        when(cown)(lambda cown: setattr(cown, "value", cown.value + 1))
    assert cown.result() == 5
