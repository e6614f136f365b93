"""What the tests share: gates that behaviors wait at, threads that report errors, scripts in subprocesses.

Behaviors use this module too, so nothing here depends on pytest, and a `Gate` consists of numbers only: it can be
captured by a behavior on every backend.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

#: Whether this build of CPython can do without its lock.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

#: Seconds after which something that should have happened counts as hung. Never a measure of speed.
DEADLINE = 60.0

#: Seconds for a wait that is expected to run out.
SHORT = 0.02


@dataclass(frozen=True)
class Gate:
    """Behaviors arrive and wait; the test sees them arrive and opens."""

    arrived_in: int
    arrived_out: int
    opened_in: int
    opened_out: int

    @classmethod
    def make(cls) -> Gate:
        return cls(*os.pipe(), *os.pipe())

    def arrive(self) -> None:
        """Tell the test that this place was reached, without waiting."""
        os.write(self.arrived_out, b"x")

    def pass_through(self) -> None:
        """Tell the test that this place was reached and wait until the gate is open."""
        self.arrive()
        # The byte that opens the gate is never read, so an open gate stays open for everybody.
        if not select.select([self.opened_in], [], [], DEADLINE)[0]:
            raise TimeoutError("nobody opened the gate")

    def wait_arrived(self, count: int = 1) -> None:
        """Wait until `count` more behaviors have arrived."""
        for seen in range(count):
            if not select.select([self.arrived_in], [], [], DEADLINE)[0]:
                raise TimeoutError(f"only {seen} of {count} behaviors arrived at the gate")
            os.read(self.arrived_in, 1)

    def anybody_arrived(self) -> bool:
        return bool(select.select([self.arrived_in], [], [], 0)[0])

    def open(self) -> None:
        os.write(self.opened_out, b"x")

    def close(self) -> None:
        for descriptor in (self.arrived_in, self.arrived_out, self.opened_in, self.opened_out):
            os.close(descriptor)


def caught(function: Callable[..., object], *args: object, **kwargs: object) -> tuple[str, str]:
    """Call it and return the type name and the message of what it raised; ("", repr) where it returned."""
    try:
        returned = function(*args, **kwargs)
    except BaseException as error:
        return type(error).__name__, str(error)
    return "", repr(returned)


def run_in_namespace(source: str, **names: object) -> dict[str, object]:
    """Execute as `exec` does, in a namespace of no module."""
    namespace: dict[str, object] = {"__name__": "nowhere", **names}
    exec(compile(textwrap.dedent(source), "<a test>", "exec"), namespace)
    return namespace


def run_threads(*targets: Callable[[], Any]) -> list[Any]:
    """Run the targets in a thread each, all at once; return what they returned or raise what the first one raised."""
    outcomes: list[tuple[str, Any]] = [("hung", None)] * len(targets)
    start_line = threading.Barrier(len(targets))

    def run(index: int, target: Callable[[], Any]) -> None:
        try:
            start_line.wait(DEADLINE)
            outcomes[index] = ("returned", target())
        except BaseException as error:
            outcomes[index] = ("raised", error)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(targets)]
    for thread in threads:
        thread.start()
    limit = time.monotonic() + DEADLINE
    for thread in threads:
        thread.join(max(0.0, limit - time.monotonic()))
    for how, error in outcomes:
        if how == "raised":
            raise error
    hung = [index for index, (how, _) in enumerate(outcomes) if how == "hung"]
    assert not hung, f"threads {hung} did not end within {DEADLINE} s"
    return [value for _, value in outcomes]


class Finished(NamedTuple):
    """How a process ended."""

    returncode: int
    stdout: str
    stderr: str


#: Lets a program of `run_python` import this module and its like.
HELPERS = {
    "PYTHONPATH": os.pathsep.join(
        filter(None, [os.path.dirname(os.path.abspath(__file__)), os.environ.get("PYTHONPATH")])
    )
}


def free_memory() -> int:
    """In bytes; 0 where the system does not tell."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0


def run_python(
    source: str,
    *,
    how: str = "file",
    args: Sequence[str] = (),
    env: Mapping[str, str | None] | None = None,
    files: Mapping[str, str] | None = None,
    timeout: float = DEADLINE,
) -> Finished:
    """Run the source in a new interpreter and return how it ended; AssertionError with the output after `timeout`.

    `how` is one of "file", "-c", "stdin" (piped, not interactive), "repl" (`python -i` with piped input) and "-m".
    `files` are written next to it, `env` is added to the environment (None removes a name).
    """
    environment = dict(os.environ, PYTHONFAULTHANDLER="1", PYTHON_BASIC_REPL="1")
    for name, value in (env or {}).items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"program.py": source, **(files or {})}.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        command = {
            "file": ["program.py"],
            "-c": ["-c", source],
            "stdin": ["-"],
            "repl": ["-i", "-q"],
            "-m": ["-m", "program"],
        }[how]
        try:
            done = subprocess.run(
                [sys.executable, *command, *args],
                input=source if how in ("stdin", "repl") else "",
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"still running after {timeout} s\n{late.stdout!r}\n{late.stderr!r}") from None
    return Finished(done.returncode, done.stdout, done.stderr)


def output_of(source: str, **kwargs: Any) -> str:
    """Run the source as `run_python` does, insist on exit code 0, and return its standard output."""
    done = run_python(source, **kwargs)
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
