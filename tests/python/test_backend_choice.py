"""The backend is chosen once, when bocpy is imported, from `BOCPY_BACKEND` and the interpreter."""

from __future__ import annotations

import sys

import bocpy
import pytest
from boc_testing import FREE_THREADED, run_python
from bocpy import _config

PROGRAM = """
import sys
import bocpy
print(bocpy.backend(), bocpy.when()(lambda: "ran").result())
print(getattr(sys, "_is_gil_enabled", lambda: True)())
"""


def run_with(choice: str | None):
    return run_python(PROGRAM, how="-c", env={"BOCPY_BACKEND": choice})


def test_the_backend_has_a_name() -> None:
    assert bocpy.backend() in ("threads", "subinterp")


@pytest.mark.parametrize("choice", [None, "auto"])
def test_auto_is_the_default_and_works(choice: str | None) -> None:
    done = run_with(choice)
    assert (done.returncode, done.stderr) == (0, "")
    name, ran, _ = done.stdout.split()
    assert ran == "ran"
    if FREE_THREADED or sys.version_info < (3, 12):
        assert name == "threads"


def test_threads_work_everywhere() -> None:
    done = run_with("threads")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["threads", "ran", str(not FREE_THREADED)]


def test_subinterp_works_or_says_why_not() -> None:
    done = run_with("subinterp")
    if done.returncode == 0:
        assert sys.version_info >= (3, 12)
        assert done.stdout.split()[:2] == ["subinterp", "ran"]
    else:
        assert "ImportError" in done.stderr and "BOCPY_BACKEND" in done.stderr
        assert "threads" in done.stderr or "auto" in done.stderr  # what to do instead
        if sys.version_info < (3, 12):
            assert "3.12" in done.stderr


@pytest.mark.parametrize("choice", ["bad", "Threads", "threads,subinterp", "thréads"])
def test_anything_else_is_a_clear_import_error(choice: str) -> None:
    done = run_with(choice)
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith("ImportError")
    for word in ("BOCPY_BACKEND", "auto", "threads", "subinterp"):
        assert word in message


def test_the_choice_is_made_at_import() -> None:
    program = """
import os, bocpy
first = bocpy.backend()
os.environ["BOCPY_BACKEND"] = "bad"
import bocpy as again
print(first == again.backend(), bocpy.when()(lambda: "ran").result())
"""
    done = run_python(program)
    assert (done.returncode, done.stdout) == (0, "True ran\n")


@pytest.mark.skipif(not FREE_THREADED, reason="this build always has a GIL")
def test_the_gil_stays_off() -> None:
    assert run_with(None).stdout.split()[-1] == "False"


@pytest.mark.skipif(not FREE_THREADED, reason="this build always has a GIL")
def test_a_gil_that_was_switched_on_gives_a_warning() -> None:
    """`PYTHON_GIL=1` stands for an extension that does it: threads stay right, and one RuntimeWarning tells."""
    done = run_python(PROGRAM, how="-c", env={"BOCPY_BACKEND": "threads", "PYTHON_GIL": "1"})
    assert done.returncode == 0
    assert done.stdout.split() == ["threads", "ran", "True"]
    assert done.stderr.count("RuntimeWarning") == 1 and "GIL" in done.stderr


def test_a_gil_that_is_on_for_the_time_of_an_import_gives_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Free-threaded builds switch it on while an extension is imported, in whatever thread."""
    monkeypatch.setattr(_config, "_gil_stays", False)  # and put back, as this test's end finds it changed
    looks = iter([True, True, False])
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: next(looks), raising=False)
    assert not _config.gil_is_on_to_stay()
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)
    assert _config.gil_is_on_to_stay()
