"""Failures of behaviors: where they go, what they leave alone, and what is reported if nobody looks."""

from __future__ import annotations

import gc
import re
import sys
import traceback

import pytest
from bocpy import Cown, quiesce, wait, when

if sys.version_info < (3, 11):
    pass


class Refused(Exception):
    """Its `__init__` does not take what ends up in `args`."""

    def __init__(self, who: str, amount: int) -> None:
        super().__init__(f"{who} may not have {amount}")
        self.who, self.amount = who, amount


class Sneaky(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


def boom(*cowns):
    raise ValueError("boom", len(cowns))


BOOM_LINE = boom.__code__.co_firstlineno + 1


def fail_after_writing(cown):
    cown.value.append("written")
    raise ValueError("after writing")


# where failures go ---------------------------------------------------------------------------------------------------


def test_a_failure_is_stored_in_the_result() -> None:
    result = when(Cown(1))(boom)
    with pytest.raises(ValueError) as error:
        result.result()
    assert error.value.args == ("boom", 1)
    with result as value:
        assert result.exception is True
        assert type(value) is ValueError and value.args == ("boom", 1)


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(4), MemoryError(), BaseException("b")]
)
def test_every_kind_of_exception_stays_in_its_behavior(error: BaseException) -> None:
    cown = Cown(1)

    @when(cown)
    def fails(cown):
        raise error

    with pytest.raises(type(error)) as seen:
        fails.result()
    assert seen.value.args == error.args
    assert when(cown)(lambda cown: cown.value).result() == 1  # the worker lives on


def test_an_exception_with_its_own_init() -> None:
    @when()
    def fails():
        raise Refused("ann", 5)

    with pytest.raises(Refused) as error:
        fails.result()
    assert (error.value.who, error.value.amount, error.value.args) == ("ann", 5, ("ann may not have 5",))


def test_an_exception_that_cannot_be_shown(unraisable: list[str]) -> None:
    def fails():
        raise Sneaky("hidden")

    with pytest.raises(Sneaky) as error:
        when()(fails).result()
    assert error.value.args == ("hidden",)
    unseen = when()(fails)
    wait()
    assert len(unraisable) == 1 and "Sneaky" in unraisable[0]
    del unseen


def test_the_cowns_are_released_and_keep_what_was_written() -> None:
    cown = Cown([])
    result = when(cown)(fail_after_writing)

    @when(cown)
    def after(cown):
        cown.value.append("after")

    assert cown.result() == ["written", "after"]
    with cown:
        assert cown.exception is False
    with pytest.raises(ValueError, match="after writing"):
        result.result()


def test_a_failed_producer_does_not_fail_its_dependents() -> None:
    failed = when()(boom)

    @when(failed, Cown(5))
    def dependent(failed, five):
        return failed.exception, type(failed.value).__name__, five.value

    assert dependent.result() == (True, "ValueError", 5)


def test_a_failure_is_caught_inside_as_usual() -> None:
    @when()
    def careful():
        try:
            boom()
        except ValueError as error:
            return error.args
        finally:
            gc.collect()

    assert careful.result() == ("boom", 0)


def test_what_a_failed_behavior_scheduled_runs() -> None:
    cown = Cown(0)

    @when()
    def outer():
        @when(cown)
        def inner(cown):
            cown.value += 1

        raise ValueError("outer")

    with pytest.raises(ValueError, match="outer"):
        outer.result()
    quiesce()
    assert cown.result() == 1


def test_a_name_that_does_not_exist() -> None:
    @when()
    def fails():
        return no_such_name  # noqa: F821

    with pytest.raises(NameError, match="no_such_name"):
        fails.result()


def test_too_deep_recursion() -> None:
    def deep(n):
        return deep(n + 1) + 1

    with pytest.raises(RecursionError):
        when()(lambda: deep(0)).result()
    assert when()(lambda: "alive").result() == "alive"


# tracebacks ----------------------------------------------------------------------------------------------------------


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def test_result_shows_where_the_behavior_failed() -> None:
    result = when()(boom)
    with pytest.raises(ValueError) as error:
        result.result()
    text = shown(error.value)
    assert re.search(rf'test_failures\.py", line {BOOM_LINE}, in boom', text), text
    assert 'raise ValueError("boom", len(cowns))' in text


def test_the_whole_chain_of_calls_is_shown() -> None:
    def inner():
        boom()

    def outer():
        inner()

    with pytest.raises(ValueError) as error:
        when()(outer).result()
    text = shown(error.value)
    assert [name for name in ("in outer", "in inner", "in boom") if name not in text] == []
    assert text.index("in outer") < text.index("in inner") < text.index("in boom")


def test_the_cause_is_shown_too() -> None:
    def fails():
        try:
            boom()
        except ValueError as error:
            raise LookupError("nothing there") from error

    with pytest.raises(LookupError) as error:
        when()(fails).result()
    text = shown(error.value)
    assert "boom" in text and "nothing there" in text and "direct cause" in text


def test_raising_again_and_again_does_not_pile_up() -> None:
    result = when()(boom)
    lengths = set()
    for _ in range(5):
        with pytest.raises(ValueError) as error:
            result.result()
        lengths.add(len(shown(error.value)))
    assert len(lengths) == 1


def test_the_frames_of_a_failed_behavior_are_gone() -> None:
    """Nothing of the behavior's locals is kept by its failure."""
    cown = Cown(None)

    @when(cown)
    def fails(cown):
        local = Cown("only here")
        raise ValueError(str(type(local)))

    with fails as error:
        trace = error.__traceback__
        assert trace is None or "local" not in trace.tb_frame.f_locals
