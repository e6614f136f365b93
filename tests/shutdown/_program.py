"""Runs a whole program in a process of its own: what most tests of this folder need.

A program is source text, written to a file of its own, as a user would start it. Its standard output is a pipe, and
nothing flushes it but the program itself. Every run has a deadline that only a hang can miss; a program that misses
it is aborted with faulthandler on, so that the failure shows where each thread stood.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

# Far above what any program here takes, even on a loaded machine: only a hang gets there.
DEADLINE = float(os.environ.get("LIFE_DEADLINE", "60"))

# What no end of a program may print, however it ended.
ACCIDENTS = ("Fatal Python error", "terminate called", "Segmentation fault", "double free")

INTERRUPTED = (-signal.SIGINT, 128 + signal.SIGINT)


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code (negative: the signal that killed it) and all that it wrote."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    def check(
        self,
        *,
        code: int | Sequence[int] = 0,
        out: Sequence[str] | None = None,
        err: str | None = "",
        reports: bool = False,
    ) -> Ended:
        """Checks the exit code, the lines on stdout in their order, and stderr (None: anything that is no accident).

        With `reports` stderr may hold what sys.unraisablehook writes about failed behaviors.
        """
        codes = (code,) if isinstance(code, int) else tuple(code)
        assert self.code in codes, f"exit code {self.code}, expected {codes}\n{self}"
        for accident in ACCIDENTS if reports else (*ACCIDENTS, "Exception ignored"):
            assert accident not in self.err, f"stderr shows {accident!r}\n{self}"
        if out is not None:
            assert self.lines == list(out), str(self)
        if err is not None:
            assert self.err == err, str(self)
        return self

    def __str__(self) -> str:
        shown = [text if len(text) < 6000 else f"{text[:3000]}\n[...]\n{text[-3000:]}" for text in (self.out, self.err)]
        return f"exit code {self.code}\n--- stdout\n{shown[0]}\n--- stderr\n{shown[1]}"


@dataclass
class Program:
    """A program that runs while the test talks to it; made by `started`."""

    process: subprocess.Popen[str]
    errors: Path
    output: list[str] = field(default_factory=list)
    _lines: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)
    _reader: threading.Thread | None = None
    _at_end: bool = False

    def read_in_background(self) -> None:
        """Empties the pipe for as long as the program lives: a full pipe would block it."""

        def read() -> None:
            assert self.process.stdout is not None
            for line in self.process.stdout:
                self._lines.put(line)
            self._lines.put(None)

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()

    def expect(self, *markers: str) -> None:
        """Waits until the program has printed the lines `markers`, in whatever order."""
        end = time.monotonic() + DEADLINE
        missing = set(markers)
        while missing:
            line = self._next(end, f"waiting for {sorted(missing)}")
            if line is None:
                pytest.fail(f"the program ended without printing {sorted(missing)}\n{self.end()}")
            missing.discard(line.rstrip("\n"))

    def expect_error(self, marker: str) -> None:
        """Waits until the program has written the line `marker` to stderr.

        Python drops a Ctrl-C that arrives while it prints the traceback that ends a program, with or without bocpy.
        Since 3.13 that printing imports modules and takes its time beside busy workers: tests that send one after it
        wait for its last line.
        """
        end = time.monotonic() + DEADLINE
        while marker not in self.errors.read_text().splitlines():
            if self._at_end or time.monotonic() > end:
                self._fail(f"deadline missed while waiting for {marker!r} on stderr")
            time.sleep(0.01)

    def send(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def end(self, deadline: float = DEADLINE) -> Ended:
        """Waits for the end of the program."""
        end = time.monotonic() + deadline
        while not self._at_end:
            self._next(end, "waiting for the program's end")
        try:
            code = self.process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._fail("the program closed its output but does not end")
        return Ended(code, "".join(self.output), self.errors.read_text())

    def _next(self, end: float, doing: str) -> str | None:
        if self._at_end:
            return None
        try:
            line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            self._fail(f"deadline missed while {doing}")
        if line is None:
            self._at_end = True
        else:
            self.output.append(line)
        return line

    def _fail(self, why: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        pytest.fail(f"{why}\n{Ended(self.process.wait(), ''.join(self.output), self.errors.read_text())}")


@contextlib.contextmanager
def started(
    source: str,
    *args: str,
    workers: int | None = None,
    options: Sequence[str] = (),
    env: dict[str, str] | None = None,
    command: str = "file",
) -> Iterator[Program]:
    """Starts `source` as a program: `command` says how ("file", "-c", "-m" or "stdin")."""
    source = textwrap.dedent(source).lstrip("\n")
    variables = {**os.environ, "PYTHONFAULTHANDLER": "1", "PYTHONIOENCODING": "utf-8", **(env or {})}
    if workers is not None:
        variables["BOCPY_WORKERS"] = str(workers)
    with tempfile.TemporaryDirectory(prefix="bocpy-shutdown-", ignore_cleanup_errors=True) as folder:
        file, errors = Path(folder, "program.py"), Path(folder, "stderr")
        file.write_text(source)
        how = {"file": [str(file)], "-c": ["-c", source], "-m": ["-m", file.stem], "stdin": ["-"]}[command]
        with open(errors, "w") as stderr, open(file) as script:
            process = subprocess.Popen(
                [sys.executable, *options, *how, *args],
                stdin=script if command == "stdin" else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=variables,
                cwd=folder,
                start_new_session=True,
            )
        program = Program(process, errors)
        program.read_in_background()
        try:
            yield program
        finally:
            # The whole session: a forked child of a failing test must not outlive it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if program._reader is not None:
                program._reader.join(5)
            if process.stdout is not None and not (program._reader and program._reader.is_alive()):
                process.stdout.close()


def run(source: str, *args: str, workers: int | None = None, **how: object) -> Ended:
    """Runs `source` as a program from its start to its end."""
    with started(source, *args, workers=workers, **how) as program:  # type: ignore[arg-type]
        return program.end()


def line_of(source: str, text: str) -> int:
    """The line of a program on which `text` stands."""
    lines = textwrap.dedent(source).lstrip("\n").splitlines()
    found = [number for number, line in enumerate(lines, 1) if text in line]
    assert len(found) == 1, f"{text!r} stands on the lines {found}"
    return found[0]
