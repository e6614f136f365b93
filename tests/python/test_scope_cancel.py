"""Cancelling scopes, and scopes in behaviors."""

from __future__ import annotations

import pytest
from boc_testing import Gate, caught, run_threads
from bocpy import CancelledError, Cown, quiesce, scope, wait, when


def add(cown, step=1):
    cown.value += step


def boom(message):
    raise ValueError(message)


# cancelling ----------------------------------------------------------------------------------------------------------


def test_cancel_drops_the_unbegun(gate: Gate, two_workers: None, unraisable: list[str]) -> None:
    cown, outside = Cown(["start"]), Cown(0)
    with scope() as s:
        running = when(cown)(lambda cown: gate.pass_through())
        gate.wait_arrived()
        dropped = [when(cown)(lambda cown: cown.value.append("dropped")) for _ in range(3)]
        dependent = when(dropped[0], outside)(lambda result, outside: add(outside))
        s.cancel()
        gate.open()
    assert running.result() is None
    for result in (*dropped, dependent):
        with pytest.raises(CancelledError):
            result.result()
    assert (cown.result(), outside.result()) == (["start"], 0)
    wait()
    assert unraisable == []


def test_cancel_is_no_failure_to_report(gate: Gate, two_workers: None, unraisable: list[str]) -> None:
    cown = Cown(0)
    with scope() as s:
        when(cown)(lambda cown: gate.pass_through())
        gate.wait_arrived()
        when(cown)(add)
        s.cancel()
        gate.open()
    wait()
    assert unraisable == []
    assert cown.value == 0


def test_cancel_leaves_others_alone(gate: Gate, two_workers: None) -> None:
    cown = Cown([])
    first = when(cown)(lambda cown: gate.pass_through())
    gate.wait_arrived()
    with scope() as s:
        inside = [when(cown)(lambda cown: cown.value.append("inside")) for _ in range(3)]
        after = []
        run_threads(lambda: after.append(when(cown)(lambda cown: cown.value.append("outside"))))
        s.cancel()
        gate.open()
    assert after[0].result() is None
    assert cown.result() == ["outside"]
    assert [caught(result.result)[0] for result in inside] == ["CancelledError"] * 3
    assert first.result() is None


def test_cancel_of_a_finished_scope() -> None:
    with scope() as s:
        result = when()(lambda: 1)
    s.cancel()
    s.cancel()
    assert result.result() == 1


def test_dependents_outside_see_the_cancellation(gate: Gate, two_workers: None) -> None:
    cown = Cown(0)
    with scope() as s:
        when(cown)(lambda cown: gate.pass_through())
        gate.wait_arrived()
        dropped = when(cown)(add)
        s.cancel()
        gate.open()

    @when(dropped)
    def after(dropped):
        return type(dropped.value).__name__

    assert after.result() == "CancelledError"


# in a behavior -------------------------------------------------------------------------------------------------------


def test_in_a_behavior_exit_does_not_wait() -> None:
    cown = Cown(0)

    @when(cown)
    def outer(cown):
        with scope() as s:
            for _ in range(10):
                when(cown)(add)
        before = cown.value  # the cown is held here: none of them can have run

        @when(s.done, cown)
        def after(_done, cown):
            return before, cown.value

        return after

    after = outer.result()
    assert after.result() == (0, 10)


def test_done_in_a_behavior_waits_for_nested_ones() -> None:
    cown = Cown(0)

    def chain(left):
        @when(cown)
        def step(cown):
            cown.value += 1
            if left > 1:
                chain(left - 1)

    @when()
    def outer():
        with scope() as s:
            chain(30)
        return when(s.done)(lambda done: when(cown)(lambda cown: cown.value))

    assert outer.result().result().result() == 30


def test_failures_in_a_scope_of_a_behavior_go_to_done(unraisable: list[str]) -> None:
    @when()
    def outer():
        with scope() as s:
            for text in ("one", "two"):
                when()(lambda: boom(text))  # noqa: B023

        @when(s.done)
        def after(done):
            return type(done.value).__name__, sorted(str(e) for e in done.value.exceptions)

        return after

    assert outer.result().result() == ("ExceptionGroup", ["one", "two"])
    wait()
    assert unraisable == []


def test_failures_in_a_scope_of_a_behavior_are_reported_if_nobody_asks(unraisable: list[str]) -> None:
    @when()
    def outer():
        with scope():
            when()(lambda: boom("unseen"))

    quiesce()
    wait()
    assert len(unraisable) == 1 and "unseen" in unraisable[0]
    assert outer.value is None


def test_a_scope_that_has_ended_takes_nothing_more() -> None:
    with scope() as s:
        pass
    with pytest.raises(RuntimeError, match="ended"):
        s.when()(lambda: None)
    with pytest.raises(RuntimeError, match="ended"):
        s.whencall(lambda: None, [], [])
    with pytest.raises(RuntimeError, match="entered"):
        scope().when()(lambda: None)


def test_a_scope_in_a_behavior_is_inside_the_outer_scope() -> None:
    cown = Cown(0)
    with scope():

        @when()
        def outer():
            with scope():
                for _ in range(10):
                    when(cown)(add)

    assert cown.result(timeout=0) == 10


def test_a_behavior_outside_scopes_does_not_inherit_one(gate: Gate, two_workers: None) -> None:
    """The scope goes with the behavior, not with the worker that happened to run it."""
    with scope():
        when()(lambda: None)

    @when()
    def outside():
        when()(lambda: gate.pass_through())

    outside.result()
    with scope():
        inside = when()(lambda: 1)
    assert inside.result(timeout=0) == 1
