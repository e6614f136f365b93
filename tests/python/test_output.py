"""What behaviors print, warn and log goes to what the main interpreter has there now, before their results are seen."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import subprocess
import sys
import warnings

import pytest
from boc_testing import DEADLINE, output_of, run_python
from bocpy import Cown, quiesce, scope, start, wait, when

logger = logging.getLogger("bocpy_tests.output")


def test_print_reaches_capsys(capsys: pytest.CaptureFixture[str]) -> None:
    @when()
    def speaks():
        print("to stdout", 1, sep=", ")
        print("to stderr", file=sys.stderr)
        sys.stdout.write("without newline")

    speaks.result()
    assert capsys.readouterr() == ("to stdout, 1\nwithout newline", "to stderr\n")


def by_result(result, cown):
    result.result()


def by_with(result, cown):
    with result:
        pass


def by_the_cown(result, cown):
    cown.result()


def by_quiesce(result, cown):
    quiesce()


def by_wait(result, cown):
    wait()


@pytest.mark.parametrize("see", [by_result, by_with, by_the_cown, by_quiesce, by_wait])
def test_output_is_out_before_main_sees_the_result(see, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(20):
        cown = Cown(0)

        @when(cown)
        def speaks(cown):
            print("line", i)  # noqa: B023

        see(speaks, cown)
        assert capsys.readouterr().out == f"line {i}\n"


def test_output_is_out_at_the_end_of_a_scope(capsys: pytest.CaptureFixture[str]) -> None:
    with scope():
        when()(lambda: print("inside"))
    assert capsys.readouterr().out == "inside\n"


def test_output_keeps_its_order(capsys: pytest.CaptureFixture[str]) -> None:
    start(3)
    cown = Cown(0)

    def count(cown):
        print(cown.value)
        cown.value += 1

    for _ in range(200):
        when(cown)(count)
    wait()
    assert capsys.readouterr().out == "".join(f"{i}\n" for i in range(200))


def test_writes_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    start(3)

    def shout(letter):
        for _ in range(20):
            sys.stdout.write(letter * 500 + "\n")

    for letter in "abcdef":
        when()(lambda: shout(letter))  # noqa: B023
    wait()
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == sorted(letter * 500 for letter in "abcdef" for _ in range(20))


def test_main_and_behaviors_write_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(10):
        print("main", i)
        when()(lambda: print("behavior", i)).result()  # noqa: B023
    expected = "".join(f"main {i}\nbehavior {i}\n" for i in range(10))
    assert capsys.readouterr().out == expected


def test_redirect_stdout_takes_what_is_written_now() -> None:
    start(1)
    first, second = io.StringIO(), io.StringIO()
    for buffer in (first, second):
        with contextlib.redirect_stdout(buffer):
            when()(lambda: print("hello")).result()
    assert first.getvalue() == second.getvalue() == "hello\n"


def test_redirect_stderr() -> None:
    buffer = io.StringIO()
    with contextlib.redirect_stderr(buffer):
        when()(lambda: print("hello", file=sys.stderr)).result()
    assert buffer.getvalue() == "hello\n"


def test_redirect_inside_a_behavior(capsys: pytest.CaptureFixture[str]) -> None:
    @when()
    def collects():
        buffer = io.StringIO()
        print("inside", file=buffer)
        return buffer.getvalue()

    assert collects.result() == "inside\n"
    assert capsys.readouterr().out == ""


def test_every_kind_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = "ünï 𝄞 \t\x00 " + "long" * 5000
    when()(lambda: print(text, end="", flush=True)).result()
    when()(lambda: print(end="")).result()
    when()(lambda: sys.stdout.writelines(["a", "b\n"])).result()
    assert capsys.readouterr().out == text + "ab\n"


def test_a_stream_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """A broken sys.stdout of main's neither hangs the runtime nor crashes it."""

    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError("full")

    hook, sys.unraisablehook = sys.unraisablehook, lambda report: None
    try:
        with contextlib.redirect_stdout(Broken()):
            result = when()(lambda: print("lost"))
            with contextlib.suppress(OSError):
                result.result()
            with contextlib.suppress(OSError):
                wait()
    finally:
        sys.unraisablehook = hook
    when()(lambda: print("found")).result()
    assert "found\n" in capsys.readouterr().out


def test_there_is_no_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert when()(lambda: print("nobody hears") or "ran").result() == "ran"
    wait()


# warnings ------------------------------------------------------------------------------------------------------------


def test_warnings_reach_main() -> None:
    def careful():
        warnings.warn("careful", UserWarning, stacklevel=1)
        return "ran"

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert when()(careful).result() == "ran"
        quiesce()
    assert [(str(w.message), w.category, w.lineno) for w in seen] == [
        ("careful", UserWarning, careful.__code__.co_firstlineno + 1)
    ]
    assert seen[0].filename == __file__


def test_pytest_warns() -> None:
    with pytest.warns(DeprecationWarning, match="old"):
        when()(lambda: warnings.warn("old", DeprecationWarning, stacklevel=1)).result()


def test_warnings_as_errors_fail_the_behavior() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = when()(lambda: warnings.warn("strict", UserWarning, stacklevel=1))
        with pytest.raises(UserWarning, match="strict"):
            result.result()


# logging -------------------------------------------------------------------------------------------------------------


def test_log_records_reach_main(caplog: pytest.LogCaptureFixture) -> None:
    @when(Cown(5))
    def logs(cown):
        logger.warning("value %d of %s", cown.value, "cown")
        logging.error("from the root")
        try:
            1 // 0  # noqa: B018
        except ZeroDivisionError:
            logger.exception("failed")

    logs.result()
    assert [(r.name, r.levelno, r.getMessage()) for r in caplog.records] == [
        (logger.name, logging.WARNING, "value 5 of cown"),
        ("root", logging.ERROR, "from the root"),
        (logger.name, logging.ERROR, "failed"),
    ]
    assert "ZeroDivisionError" in caplog.text
    assert {r.funcName for r in caplog.records} == {"logs"}


# in programs ---------------------------------------------------------------------------------------------------------


def test_output_of_a_program_that_ends_without_wait() -> None:
    program = """
from bocpy import Cown, when
cown = Cown(0)
print("main begins")
for i in range(5):
    @when(cown)
    def _(cown):
        print("line", i)
"""
    assert output_of(program) == "main begins\n" + "".join(f"line {i}\n" for i in range(5))


def test_logging_and_warnings_of_a_program() -> None:
    program = """
import logging, warnings
from bocpy import when
logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO)
def work():
    logging.info("informed")
    warnings.warn("warned")
when()(work).result()
"""
    done = run_python(program)
    assert (done.returncode, done.stdout) == (0, "")
    lines = done.stderr.splitlines()
    assert lines[0] == "INFO informed"
    assert "program.py:7: UserWarning: warned" in lines[1]


def test_a_closed_pipe() -> None:
    """Nobody reads the output: the program still ends, without a crash."""
    program = "from bocpy import when\nfor i in range(2000): when()(lambda: print('x' * 1000))\n"
    done = subprocess.run(
        [shutil.which("sh") or "sh", "-c", f"'{sys.executable}' -c \"$PROGRAM\" | head -c 10"],
        capture_output=True,
        timeout=DEADLINE,
        check=False,
        env={**os.environ, "PROGRAM": program},
    )
    assert done.stdout == b"x" * 10
    assert b"Fatal" not in done.stderr and b"Segmentation" not in done.stderr
