"""notice_update: atomic, in the calling thread, and nobody waits for ever."""

from __future__ import annotations

import copy
import functools
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from boc_testing import DEADLINE, SHORT, Gate, caught, run_threads
from bocpy import (
    REMOVED,
    Cown,
    TransferError,
    hold,
    notice_delete,
    notice_read,
    notice_update,
    notice_write,
    noticeboard,
    quiesce,
    scope,
    start,
    wait,
    when,
)
from payload_testing import filled_by_a_behavior


def test_value_and_default() -> None:
    notice_update("k", lambda value: (value, "first"))
    assert notice_read("k") == (None, "first")
    notice_update("k", lambda value: (value, "second"), "unused")
    assert notice_read("k") == ((None, "first"), "second")
    notice_write("k", None)
    notice_update("k", lambda value: [value], "unused")
    assert notice_read("k") == [None]
    notice_update("new", lambda value: value + 1, 41)
    notice_update("none", lambda value: None, 41)
    assert noticeboard() == {"k": [None], "new": 42, "none": None}


def test_removed() -> None:
    notice_write("k", 1)
    notice_update("k", lambda value: REMOVED)
    notice_update("never there", lambda value: REMOVED)
    assert noticeboard() == {}

    @when()
    def removes():
        notice_write("k", 1)
        notice_update("k", lambda value: REMOVED)
        return REMOVED, "k" in noticeboard()

    assert removes.result() == (REMOVED, False)


def test_removed_is_one_object() -> None:
    assert repr(REMOVED) == "REMOVED"
    assert pickle.loads(pickle.dumps(REMOVED)) is REMOVED
    assert copy.copy(REMOVED) is copy.deepcopy([REMOVED])[0] is REMOVED
    with pytest.raises(TypeError):
        type(REMOVED)()
    given = Cown([REMOVED])
    here = REMOVED

    @when(given)
    def looks(given):
        import bocpy

        return given.value[0] is here is bocpy.REMOVED

    assert looks.result() is True
    assert given.result()[0] is REMOVED


class Adder:
    def __init__(self, by: int) -> None:
        self.by = by

    def add(self, value: int) -> int:
        return value + self.by

    __call__ = add


def test_any_callable_will_do() -> None:
    by = 1

    def closure(value: int) -> int:
        return value + by

    for function in (closure, lambda n: n + 1, Adder(1), Adder(1).add, functools.partial(int.__add__, 1), (1).__add__):
        notice_update("n", function, 0)
    assert notice_read("n") == 6

    @when()
    def inside():
        step = 10
        notice_update("n", lambda n: n + step)
        notice_update("n", Adder(100))
        notice_update("n", Adder(1000).add)

    inside.result()
    assert notice_read("n") == 1116


def test_it_is_called_once_by_the_caller_in_its_thread() -> None:
    calls = []

    def function(value):
        calls.append(threading.get_ident())
        return value

    notice_update("k", function)
    assert calls == [threading.get_ident()]

    @when()
    def inside():
        there = []
        notice_update("k", lambda value: there.append(threading.get_ident()))
        return there == [threading.get_ident()]

    assert inside.result()


def test_updates_are_not_lost() -> None:
    def adds():
        for _ in range(50):
            notice_update("int", lambda n: n + 1, 0)
            notice_update("list", lambda items: [*items, len(items)], [])

    def all_of_it():
        with scope():
            for _ in range(10):
                when()(adds)

    run_threads(all_of_it, adds, adds)
    assert notice_read("int") == 600 and notice_read("list") == list(range(600))


def test_the_function_has_a_copy() -> None:
    notice_write("k", [1])
    kept = []

    def appends(items):
        kept.append(items)
        items.append(2)
        return items

    notice_update("k", appends)
    kept[0].append(3)
    assert notice_read("k") == [1, 2]
    default: list[int] = []
    notice_update("new", appends, default)
    assert default == [] and notice_read("new") == [2]


class Stop(BaseException):
    pass


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, Stop])
def test_what_the_function_raises_is_raised_here(error) -> None:
    def function(value):
        value.append(2)
        raise error("from the function")

    notice_write("k", [1])
    with pytest.raises(error, match="from the function"):
        notice_update("k", function)
    with pytest.raises(error):
        notice_update("new", function, [])
    assert noticeboard() == {"k": [1]}
    notice_update("k", len)
    assert notice_read("k") == 1


def test_an_error_fails_the_behavior() -> None:
    notice_write("k", 1)

    @when()
    def fails():
        notice_update("k", lambda value: value / 0)

    with pytest.raises(ZeroDivisionError):
        fails.result()
    assert notice_read("k") == 1


def test_what_cannot_be_put_there() -> None:
    notice_write("k", [1])
    with pytest.raises(TransferError, match=r"this value of type '_thread\.lock' cannot be copied"):
        notice_update("k", lambda value: threading.Lock())
    with pytest.raises(TransferError):
        notice_update("new", lambda value: 1, threading.Lock())
    assert noticeboard() == {"k": [1]}


@pytest.mark.parametrize("function", [None, 1, "f", [], REMOVED])
def test_what_cannot_be_called(function) -> None:
    with pytest.raises(TypeError, match="fn must be callable"):
        notice_update("k", function, 1)
    assert noticeboard() == {}


# Functions that use the noticeboard ----------------------------------------------------------------------------------


def test_reading_in_the_function() -> None:
    notice_write("k", 1)
    notice_write("other", 2)
    notice_update("k", lambda value: [value, notice_read("k"), noticeboard()["other"]])
    assert notice_read("k") == [1, 1, 2]


def test_writing_in_the_function() -> None:
    notice_write("gone", 1)

    def function(value):
        notice_write("other", "at once")
        notice_delete("gone")
        return dict(noticeboard())

    notice_update("k", function)
    assert notice_read("k") == {"other": "at once"}


@pytest.mark.parametrize(("use", "after"), [(lambda: notice_write("k", 2), {"k": 2}), (lambda: notice_delete("k"), {})])
def test_a_write_in_between_comes_after_the_update(use, after) -> None:
    notice_write("k", 1)
    notice_update("k", lambda value: use())
    assert noticeboard() == after
    notice_write("k", 1)
    notice_update("k", lambda value: use() and REMOVED)
    assert noticeboard() == after


def test_updates_in_the_function_come_after_it() -> None:
    said = []

    def outer(value):
        notice_update("k", inner, "unused")
        notice_update("other", lambda value: said.append("third") or value, "other")
        said.append("first")
        return "outer"

    def inner(value):
        said.append("second")
        notice_update("k", lambda value: said.append("fourth") or [value])
        return (value, "inner")

    notice_update("k", outer)
    assert said == ["first", "second", "third", "fourth"]
    assert noticeboard() == {"k": [("outer", "inner")], "other": "other"}


def test_errors_of_updates_in_the_function(unraisable) -> None:
    def fails(value):
        raise ValueError(f"of {value}")

    def outer(value):
        notice_update("a", fails, "a")
        notice_update("b", fails, "b")
        notice_update("c", lambda value: value, "c")
        assert caught(notice_update, "d", 3)[0] == "TypeError"
        return value

    with pytest.raises(ValueError, match="of a"):
        notice_update("k", outer, 0)
    assert noticeboard() == {"k": 0, "c": "c"}
    assert len(unraisable) == 1 and "ValueError: of b" in unraisable[0]

    def outer_fails(value):
        notice_update("d", lambda value: value, "d")
        fails("outer")

    with pytest.raises(ValueError, match="of outer"):
        notice_update("k", outer_fails)
    assert noticeboard() == {"k": 0, "c": "c", "d": "d"}


class Updates:
    """Uses the noticeboard whenever it is copied or goes."""

    def __init__(self, said: str) -> None:
        self.said = said

    def __reduce__(self) -> Any:
        notice_update("copied", lambda n: n + 1, 0)
        notice_read("copied")
        return Updates, (self.said,)

    def __del__(self) -> None:
        notice_update("gone", lambda n: n + 1, 0)
        notice_write(f"gone {self.said}", 1)


@pytest.mark.parametrize("where", ["outside", "inside"])
def test_values_that_use_the_noticeboard(where) -> None:
    def uses_all():
        notice_write("k", [Updates("first")])
        notice_update("k", lambda value: [*value, Updates("second")])
        notice_update("k", lambda value: Updates("third"))
        notice_read("k")
        notice_update("k", lambda value: REMOVED)

    if where == "outside":
        uses_all()
    else:
        when()(uses_all).result()
    board = quiesce(noticeboard=True)
    assert board["copied"] > 0 and board["gone"] > 0 and "k" not in board
    assert board.keys() >= {"gone first", "gone second", "gone third"}


# Others that update ---------------------------------------------------------------------------------------------------


def test_others_wait_for_their_key_alone(gate: Gate, two_workers: None) -> None:
    def slow(value):
        gate.pass_through()
        return [*value, "slow"]

    notice_write("k", [])
    held = when()(lambda: notice_update("k", slow))
    gate.wait_arrived()
    # None of these waits for the function.
    notice_update("other", lambda value: 1)
    assert notice_read("k") == [] and noticeboard()["other"] == 1
    notice_write("free", 1)
    thread = threading.Thread(target=lambda: notice_update("k", lambda value: [*value, "quick"]))
    thread.start()
    thread.join(SHORT)
    assert thread.is_alive() and notice_read("k") == []
    gate.open()
    thread.join(DEADLINE)
    held.result()
    assert notice_read("k") == ["slow", "quick"]


def test_a_write_does_not_wait(gate: Gate) -> None:
    def slow(value):
        gate.pass_through()
        return "slow"

    held = when()(lambda: notice_update("k", slow))
    gate.wait_arrived()
    notice_write("k", "written")
    assert notice_read("k") == "written"
    gate.open()
    held.result()
    assert notice_read("k") == "written"


def test_updates_of_two_keys_in_each_other(gate: Gate, two_workers: None) -> None:
    def crossing(mine, other):
        def inner(value):
            return value + 1

        def outer(value):
            gate.pass_through()
            notice_update(other, inner, 0)
            return value + 10

        return lambda: notice_update(mine, outer, 0)

    both = when()(crossing("a", "b")), when()(crossing("b", "a"))
    gate.wait_arrived(2)
    gate.open()
    for one in both:
        one.result(timeout=DEADLINE)
    assert noticeboard() == {"a": 11, "b": 11}


def enter(cown: Cown[Any]) -> None:
    with cown:
        pass


def leave_scope() -> None:
    with scope():
        when()(lambda: None)


WAITS: dict[str, Callable[[Cown[Any]], object]] = {
    "wait": lambda cown: wait(),
    "quiesce": lambda cown: quiesce(),
    "result": lambda cown: cown.result(),
    "acquire": lambda cown: cown.acquire(),
    "with": enter,
    "hold": lambda cown: hold(cown).__enter__(),
    "scope": lambda cown: leave_scope(),
}


@pytest.mark.parametrize("call", WAITS.values(), ids=WAITS.keys())
def test_waiting_in_the_function(call) -> None:
    said = []
    cown = Cown(1)

    def function(value):
        said.append(caught(call, cown))
        return "done"

    notice_update("k", function)
    assert said[0][0] == "RuntimeError" and "the function of notice_update()" in said[0][1]
    assert notice_read("k") == "done"
    assert cown.result() == 1  # no longer


def test_scheduling_in_the_function() -> None:
    def function(value):
        return when()(lambda: value + 1)

    notice_update("k", function, 1)
    assert notice_read("k").result() == 2


def test_others_get_their_turn() -> None:
    """One that updates again and again does not keep the others from it."""
    begun, stop = threading.Event(), threading.Event()

    def hog():
        while not stop.is_set():
            notice_update("k", lambda value: (time.sleep(0.001), value + 1)[1], default=0)
            begun.set()

    thread = threading.Thread(target=hog)
    thread.start()
    try:
        assert begun.wait(DEADLINE)
        for _ in range(5):
            notice_update("k", lambda value: value, default=0)
    finally:
        stop.set()
        thread.join()
    assert notice_read("k") > 0


class UpdatesAsItGoes:
    """Updates the noticeboard while it is carried."""

    def __reduce__(self):
        notice_update("k", lambda value: value + 1, default=0)
        return (int, (7,))


@pytest.mark.backend("subinterp", reason="a value is carried here when the function looks at it")
def test_an_update_by_a_value_that_the_function_fetches() -> None:
    """It would wait for the turn that its own thread has."""
    cown = filled_by_a_behavior(UpdatesAsItGoes)
    notice_write("k", 5)
    with pytest.raises(TransferError, match="could wait for that one"):
        notice_update("k", lambda value: cown.value, default=0)
    assert notice_read("k") == 5


@pytest.mark.backend("subinterp", reason="a value is carried here when the function looks at it")
def test_an_update_by_a_value_that_a_busy_worker_hands_over() -> None:
    """It would wait for the turn of a thread that waits for this worker."""
    start(1)
    cown, other, stop = Cown(None), Cown(0), threading.Event()

    def fill(cown):
        cown.value = UpdatesAsItGoes()

    def keep_busy():
        while not stop.is_set():
            with scope():
                for _ in range(100):
                    when(other)(lambda other: sum(range(500)))

    thread = threading.Thread(target=keep_busy)
    thread.start()
    try:
        for _ in range(50):
            when(cown)(fill)
            notice_write("k", 5)
            cown.acquire()
            outcome = caught(notice_update, "k", lambda value: cown.value, default=0)
            cown.release()
            assert outcome[0] == "TransferError" and "could wait for that one" in outcome[1], outcome
            assert notice_read("k") == 5
    finally:
        stop.set()
        thread.join()
