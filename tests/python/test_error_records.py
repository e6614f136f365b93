"""Exceptions that leave a behavior: no frame goes with them, the traceback is told all the same."""

from __future__ import annotations

import gc
import json
import linecache
import sys
import traceback
from collections.abc import Callable

import pytest
from boc_testing import Gate, run_in_namespace
from bocpy import Cown, when, whencall


class Loud:
    """Tells the gate when it goes."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def __del__(self) -> None:
        self.gate.arrive()


def failure_of(cown: Cown) -> BaseException:
    with pytest.raises(BaseException) as raised:
        cown.result()
    return raised.value


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def fails_with_loud_locals(gate: Gate) -> None:
    loud = Loud(gate)
    raise ValueError(type(loud).__name__)


def fails_in_a_handler(gate: Gate) -> None:
    try:
        fails_with_loud_locals(gate)
    except ValueError:
        raise KeyError("while handling")  # noqa: B904


def fails_from_a_cause(gate: Gate) -> None:
    try:
        fails_with_loud_locals(gate)
    except ValueError as cause:
        raise KeyError("because") from cause


def fails_in_a_cycle(gate: Gate) -> None:
    try:
        fails_with_loud_locals(gate)
    except ValueError as first:
        second = KeyError("a ring")
        second.__cause__, first.__cause__ = first, second
        raise second  # noqa: B904


def fails_in_a_group(gate: Gate) -> None:
    try:
        fails_with_loud_locals(gate)
    except ValueError as member:
        raise ExceptionGroup("all", [ExceptionGroup("some", [member])]) from None  # noqa: F821


FAILING: list[Callable[[Gate], None]] = [
    fails_with_loud_locals,
    fails_in_a_handler,
    fails_from_a_cause,
    fails_in_a_cycle,
]
if sys.version_info >= (3, 11):
    FAILING.append(fails_in_a_group)


@pytest.mark.parametrize("fails", FAILING)
def test_no_frame_outlives_its_behavior(fails: Callable[[Gate], None], gate: Gate) -> None:
    result = whencall(fails, [], [gate])
    error = failure_of(result)
    gc.disable()  # without the help of a collection
    try:
        gate.wait_arrived()
    finally:
        gc.enable()
    assert error is not None


@pytest.mark.parametrize("fails", FAILING)
def test_every_traceback_of_a_chain_is_told(fails: Callable[[Gate], None], gate: Gate) -> None:
    text = shown(failure_of(whencall(fails, [], [gate])))
    assert "in fails_with_loud_locals" in text, text
    assert "raise ValueError(type(loud).__name__)" in text, text
    if fails is fails_in_a_handler:
        assert "During handling of the above exception" in text and 'raise KeyError("while handling")' in text


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with 3.11")
def test_an_exception_with_a_cause_is_told_in_a_note(gate: Gate) -> None:
    error = failure_of(whencall(fails_from_a_cause, [], [gate]))
    assert isinstance(error.__cause__, ValueError)
    assert 'raise KeyError("because") from cause' in shown(error)
    # pytest and others join the notes as they are.
    assert "in fails_from_a_cause" in "\n".join(error.__notes__)


def test_the_frames_come_in_order_with_their_lines() -> None:
    names = run_in_namespace(
        """
        def inner():
            return 1 / 0

        def outer():
            return inner()
        """
    )
    text = shown(failure_of(when()(names["outer"])))
    assert text.index("line 6, in outer") < text.index("line 3, in inner") < text.index("ZeroDivisionError")


def test_source_is_read_when_it_is_shown() -> None:
    names = run_in_namespace("def fails():\n    raise ValueError('late')")
    error = failure_of(when()(names["fails"]))
    source = ["def fails():\n", "    raise ValueError('this line came late')\n"]
    linecache.cache["<a test>"] = (sum(map(len, source)), None, source, "<a test>")
    try:
        assert "this line came late" in shown(error)
    finally:
        del linecache.cache["<a test>"]


def test_endless_recursion_is_told_in_short() -> None:
    def deeper(n):
        return deeper(n + 1) + 1

    text = shown(failure_of(when()(lambda: deeper(0))))
    assert "RecursionError" in text and "in deeper" in text
    assert len(text.splitlines()) < 200


def test_raised_again_in_another_behavior() -> None:
    def fails():
        raise ValueError("once")

    failed = when()(fails)

    def raise_again(failed):
        raise failed.value

    for _ in range(30):
        again = when(failed)(raise_again)
        error = failure_of(again)
    text = shown(error)
    assert "in fails" in text and "in raise_again" in text
    assert text.count("in raise_again") < 20
    assert isinstance(error, ValueError) and error.args == ("once",)


def test_what_an_exception_says_of_itself_is_kept() -> None:
    class Stubborn(Exception):
        """Lets nobody look at it or change it from outside."""

        def __setattr__(self, name, value):
            raise AssertionError(f"{name} was set")

        def __str__(self):
            raise AssertionError("it was shown")

    def fails():
        raise Stubborn("x", 1)

    error = failure_of(when()(fails))
    assert type(error) is Stubborn and error.args == ("x", 1)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with 3.11")
def test_notes_are_kept() -> None:
    def fails():
        error = ValueError("noted")
        error.add_note("a note of its own")
        raise error from KeyError("k")

    text = shown(failure_of(when()(fails)))
    assert "a note of its own" in text and "KeyError: 'k'" in text and "in fails" in text


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with 3.11")
def test_exceptions_that_say_how_they_are_pickled() -> None:
    """The class decides about itself; place, cause and notes are Python's."""

    def fails():
        try:
            json.loads("{x")
        except ValueError as error:
            error.add_note("a note of its own")
            raise error from KeyError("k")

    error = failure_of(when()(fails))
    assert isinstance(error, json.JSONDecodeError) and error.pos == 1
    text = shown(error)
    assert "a note of its own" in text and "KeyError: 'k'" in text and "in fails" in text
    again = whencall(lambda error: error, [], [error]).result()
    assert again.pos == 1 and "in fails" in shown(again)


def test_an_exception_with_args_of_its_own() -> None:
    class Odd(Exception):
        args = property(lambda self: ("of the class",))

    def fails():
        raise Odd("given")

    error = failure_of(when()(fails))
    assert type(error) is Odd and error.args == ("of the class",) and str(error) == "given"


def test_an_error_that_went_through_a_capture_is_still_told() -> None:
    def fails():
        raise ValueError("carried")

    error = failure_of(when()(fails))
    carried = whencall(lambda error: error, [], [error]).result()
    assert carried is not error and "in fails" in shown(carried)


def test_an_exception_that_was_never_raised_has_nothing_to_tell() -> None:
    returned = when()(lambda: ValueError("just a value")).result()
    assert returned.__cause__ is None and returned.__traceback__ is None
