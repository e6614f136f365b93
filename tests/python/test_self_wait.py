"""What would wait for itself: a RuntimeError at once instead of a hang."""

from __future__ import annotations

import threading

import pytest
from boc_testing import DEADLINE, SHORT, Gate, caught, run_threads
from bocpy import Cown, batch, hold, quiesce, read, scope, wait, when


def noop(*cowns):
    return "ran"


WAITS = {
    "wait": lambda result: wait(),
    "wait with a timeout": lambda result: wait(timeout=DEADLINE),
    "quiesce": lambda result: quiesce(),
    "quiesce with a timeout": lambda result: quiesce(timeout=DEADLINE),
    "result": lambda result: result.result(),
    "result with a timeout": lambda result: result.result(timeout=DEADLINE),
    "take": lambda result: result.result(take=True),
}


@pytest.mark.parametrize("attempt", WAITS.values(), ids=WAITS)
def test_waiting_for_a_behavior_behind_the_own_hold(attempt, two_workers: None) -> None:
    cown = Cown(1)
    with cown:
        result = when(cown)(noop)
        with pytest.raises(RuntimeError):
            attempt(result)
        assert cown.acquired is True
    assert result.result() == "ran"  # the runtime is as it was


@pytest.mark.parametrize("attempt", WAITS.values(), ids=WAITS)
def test_waiting_for_a_behavior_behind_one_behind_the_own_hold(attempt, two_workers: None) -> None:
    cown, other = Cown(1), Cown(2)
    with cown:
        first = when(cown, other)(noop)
        second = when(other)(noop)
        third = when(second)(noop)
        with pytest.raises(RuntimeError):
            attempt(third)
    assert [result.result() for result in (first, second, third)] == ["ran"] * 3


@pytest.mark.parametrize("attempt", WAITS.values(), ids=WAITS)
def test_waiting_behind_hold_of_several(attempt, two_workers: None) -> None:
    a, b = Cown(1), Cown(2)
    with hold(a, read(b)):
        result = when(b)(noop)
        with pytest.raises(RuntimeError):
            attempt(result)
    assert result.result() == "ran"


def test_the_error_says_what_and_what_to_do() -> None:
    cown = Cown(1)
    with cown:
        result = when(cown)(noop)
        with pytest.raises(RuntimeError, match=r"(?i)hold|held|release"):
            quiesce()
    assert result.result() == "ran"


def test_a_scope_that_would_wait_for_its_own_thread() -> None:
    cown = Cown(1)
    with cown:
        with pytest.raises(RuntimeError), scope():
            result = when(cown)(noop)
        with pytest.raises(RuntimeError), scope() as s:
            another = when(cown)(noop)
            s.wait()
    quiesce()
    for one in (result, another):  # whether exit let it run or cancelled it, it did not hang
        assert caught(one.result) in (("", "'ran'"), ("CancelledError", caught(one.result)[1]))


@pytest.mark.parametrize("attempt", list(WAITS.values())[:4], ids=list(WAITS)[:4])
def test_when_one_queues_behind_the_hold_later(attempt, gate: Gate, two_workers: None) -> None:
    """The thread waits already, for something else, when another thread schedules behind its hold."""
    held, other = Cown(1), Cown(2)
    when(other)(lambda other: gate.pass_through())
    gate.wait_arrived()
    late = []

    def schedule():
        late.append(when(held)(noop))

    timer = threading.Timer(SHORT, schedule)
    with held:
        timer.start()
        with pytest.raises(RuntimeError):
            attempt(None)
        assert held.acquired is True
    timer.join()
    gate.open()
    assert late[0].result() == "ran"


def test_waiting_while_holding_is_fine_when_nothing_is_behind_it(two_workers: None) -> None:
    held, other = Cown(1), Cown(2)
    with held:
        result = when(other)(noop)
        assert result.result() == "ran"
        when(other)(noop)
        quiesce()
        with scope():
            when(other)(noop)
        wait()
        assert held.value == 1


def test_a_reader_behind_a_reading_hold_is_no_wait_for_itself(two_workers: None) -> None:
    cown = Cown(1)
    with hold(read(cown)):
        assert when(read(cown))(lambda cown: cown.value).result() == 1
        quiesce()


def test_a_hold_of_another_thread_is_waited_for(two_workers: None) -> None:
    cown = Cown(1)
    held, scheduled = threading.Event(), threading.Event()

    def holds():
        with cown:
            held.set()
            scheduled.wait(DEADLINE)
            cown.value = 2

    def waits():
        held.wait(DEADLINE)
        result = when(cown)(lambda cown: cown.value)
        threading.Timer(SHORT, scheduled.set).start()
        quiesce()
        return result.result()

    assert run_threads(holds, waits)[1] == 2


def test_inside_an_open_batch() -> None:
    with pytest.raises(RuntimeError), batch(), scope():
        when()(noop)
    with batch():
        result = when()(noop)
        for attempt in WAITS.values():
            assert caught(attempt, result)[0] == "RuntimeError"
    assert result.result() == "ran"


def test_an_open_batch_does_not_hinder_other_waits(two_workers: None) -> None:
    outside = when()(noop)
    with batch():
        assert outside.result() == "ran"
        member = when()(noop)
        assert Cown(1).result() == 1
    assert member.result() == "ran"


IN_A_BEHAVIOR = {
    "wait": lambda cown: wait(),
    "wait with a timeout": lambda cown: wait(timeout=0),
    "quiesce": lambda cown: quiesce(),
    "quiesce with a timeout": lambda cown: quiesce(timeout=0),
    "result": lambda cown: cown.result(),
    "result with a timeout": lambda cown: cown.result(timeout=0),
    "take": lambda cown: cown.result(take=True),
    "hold": lambda cown: hold(cown).__enter__(),
}


@pytest.mark.parametrize("attempt", IN_A_BEHAVIOR.values(), ids=IN_A_BEHAVIOR)
def test_in_a_behavior_it_is_an_error_at_once(attempt) -> None:
    """Even where the cown is free: a worker never waits."""
    mine, other = Cown(1), Cown(2)

    @when(mine)
    def tries(mine):
        return caught(attempt, other)[0], caught(attempt, mine)[0]

    assert tries.result() == ("RuntimeError", "RuntimeError")
    assert other.result() == 2
