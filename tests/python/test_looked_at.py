"""A failure that nobody looks at is reported once, with file and line; one that was looked at is not."""

from __future__ import annotations

import gc
import re
import sys
from pathlib import Path

import pytest
from boc_testing import run_python
from bocpy import Cown, hold, quiesce, read, scope, start, wait, when

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


def boom(*cowns):
    raise ValueError("boom", len(cowns))


BOOM_LINE = boom.__code__.co_firstlineno + 1


# looked at -----------------------------------------------------------------------------------------------------------


def by_value(result):
    result.acquire()
    assert type(result.value) is ValueError
    result.release()


def by_exception(result):
    result.acquire()
    assert result.exception is True
    result.release()


def by_with(result):
    with result as value:
        assert type(value) is ValueError


def by_hold(result):
    with hold(result) as (held,):
        assert type(held.value) is ValueError


def by_result(result):
    with pytest.raises(ValueError):
        result.result()


def by_taking(result):
    with pytest.raises(ValueError):
        result.result(take=True)


def by_unwrap(result):
    quiesce()
    with pytest.raises(ValueError):
        result.unwrap()


def by_value_in_a_behavior(result):
    assert when(result)(lambda result: type(result.value).__name__).result() == "ValueError"


def by_exception_in_a_behavior(result):
    assert when(result)(lambda result: result.exception).result() is True


def by_a_reading_behavior(result):
    assert when(read(result))(lambda result: type(result.value).__name__).result() == "ValueError"


def by_replacing_it(result):
    assert when(result)(lambda result: setattr(result, "value", 1)).result() is None


LOOKS = [
    by_value,
    by_exception,
    by_with,
    by_hold,
    by_result,
    by_taking,
    by_unwrap,
    by_value_in_a_behavior,
    by_exception_in_a_behavior,
    by_a_reading_behavior,
    by_replacing_it,
]


@pytest.mark.parametrize("look", LOOKS)
def test_a_failure_that_was_looked_at_is_not_reported(look, unraisable: list[str]) -> None:
    result = when()(boom)
    look(result)
    wait()
    del result
    gc.collect()
    assert unraisable == []


def test_a_failure_that_a_scope_collected_is_not_reported(unraisable: list[str]) -> None:
    with pytest.raises(ExceptionGroup), scope():
        result = when()(boom)
    wait()
    del result
    gc.collect()
    assert unraisable == []


def test_an_exception_that_was_returned_is_not_reported(unraisable: list[str]) -> None:
    result = when()(lambda: ValueError("a value"))
    wait()
    del result
    gc.collect()
    assert unraisable == []


# never looked at -----------------------------------------------------------------------------------------------------


def assert_one_report(unraisable: list[str]) -> None:
    assert len(unraisable) == 1, unraisable
    (text,) = unraisable
    assert "ValueError" in text and "boom" in text
    assert Path(__file__).name in text
    assert re.search(rf"\b{BOOM_LINE}\b", text), text


def test_a_failure_is_reported_when_its_result_is_dropped(unraisable: list[str]) -> None:
    result = when()(boom)
    quiesce()
    assert unraisable == []
    del result
    gc.collect()
    quiesce()
    assert_one_report(unraisable)
    wait()
    assert len(unraisable) == 1


def test_a_failure_nobody_kept_is_reported(unraisable: list[str]) -> None:
    when()(boom)
    quiesce()
    assert_one_report(unraisable)
    wait()
    assert len(unraisable) == 1


def test_a_failure_is_reported_by_wait(unraisable: list[str]) -> None:
    result = when()(boom)
    wait()
    assert_one_report(unraisable)
    assert result.exception is True
    start()
    wait()
    del result
    gc.collect()
    assert len(unraisable) == 1


def test_each_failure_is_reported_once(unraisable: list[str]) -> None:
    kept = [when()(boom) for _ in range(5)]
    for _ in range(5):
        when()(boom)
    wait()
    kept.clear()
    gc.collect()
    wait()
    assert len(unraisable) == 10


def test_a_failure_in_a_nested_behavior_is_reported(unraisable: list[str]) -> None:
    when()(lambda: when()(boom) and None)
    wait()
    assert_one_report(unraisable)


def test_a_failure_behind_one_that_takes_the_cown_only(unraisable: list[str]) -> None:
    """Scheduling on a result, without reading it, is no look."""
    failed = when()(boom)
    assert when(failed)(lambda _failed: "ran").result() == "ran"
    wait()
    assert_one_report(unraisable)


def test_a_failure_inside_another_cown_is_reported_when_that_goes(unraisable: list[str]) -> None:
    shelf = Cown([when()(boom)])
    quiesce()
    assert unraisable == []
    with shelf as value:
        value.clear()
    gc.collect()
    quiesce()
    assert_one_report(unraisable)


def test_a_hook_that_fails_itself(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def hook(report):
        raise LookupError("the hook")

    monkeypatch.setattr("sys.unraisablehook", hook)
    when()(boom)
    wait()
    assert when()(lambda: "alive").result() == "alive"
    capfd.readouterr()


@pytest.mark.parametrize("ending", ["", "raise SystemExit(3)", "1 // 0"], ids=["end", "sys.exit", "exception"])
def test_a_failure_is_reported_at_exit(ending: str) -> None:
    program = f"""
from bocpy import when

def failing():
    raise ValueError("never looked at")

kept = when()(failing)
{ending}
"""
    done = run_python(program)
    assert done.returncode == {"": 0, "raise SystemExit(3)": 3, "1 // 0": 1}[ending]
    assert done.stderr.count("ValueError: never looked at") == 1, done.stderr
    assert re.search(r'program\.py", line 5', done.stderr), done.stderr


def test_a_failure_that_was_looked_at_leaves_no_word_at_exit() -> None:
    program = """
from bocpy import when
failed = when()(lambda: 1 // 0)
with failed as value:
    print(type(value).__name__)
"""
    assert run_python(program) == (0, "ZeroDivisionError\n", "")
