"""``python -m bocpy``, in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import bocpy

EXAMPLES = sorted(path.stem for path in (Path(__file__).parents[2] / "examples").glob("[a-z]*.py"))


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bocpy", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def test_it_tells_what_runs_here() -> None:
    done = run(BOCPY_BACKEND="threads", BOCPY_WORKERS="3")
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    assert first == f"bocpy {bocpy.__version__}"
    told = dict(line.split(maxsplit=1) for line in rest[:4])
    assert told["backend"] == "threads (BOCPY_BACKEND=threads)"
    assert told["workers"] == "3 (BOCPY_WORKERS=3)"
    assert platform.python_version() in told["interpreter"]
    assert told["GIL"] == ("on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off")


def test_it_lists_the_examples_without_running_them() -> None:
    lines = [line.split() for line in run().stdout.splitlines() if line.startswith("  python -m ")]
    assert [line[2] for line in lines] == [f"bocpy.examples.{name}" for name in EXAMPLES]
    assert all(len(line) > 6 for line in lines)  # with what it is about


def test_it_takes_no_arguments() -> None:
    done = run("--nonsense")
    assert done.returncode == 2
    assert "python -m bocpy: error: unrecognized arguments: --nonsense" in done.stderr
    assert "usage: python -m bocpy" in run("--help").stdout


def test_a_choice_that_cannot_be_is_an_error() -> None:
    done = run(BOCPY_BACKEND="wrong")
    assert done.returncode == 1
    assert "BOCPY_BACKEND='wrong' is not a backend" in done.stderr
