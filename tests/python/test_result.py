"""`c.result()` and `c.unwrap()`: one value out of a cown, when what is scheduled on it has run."""

from __future__ import annotations

import threading

import pytest
from boc_testing import DEADLINE, SHORT, Gate, output_of, run_threads
from bocpy import Cown, quiesce, start, wait, when

# result --------------------------------------------------------------------------------------------------------------


def test_result_waits_for_the_behavior(gate: Gate) -> None:
    start(1)

    @when()
    def slow():
        gate.pass_through()
        return "done"

    gate.wait_arrived()
    threading.Timer(SHORT, gate.open).start()
    assert slow.result() == "done"


def test_result_waits_for_all_that_is_scheduled_before_it() -> None:
    cown = Cown(0)

    def add(cown):
        cown.value += 1

    for _ in range(200):
        when(cown)(add)
    assert cown.result() == 200


def test_result_waits_for_its_cown_only(gate: Gate, two_workers: None) -> None:
    @when()
    def never():
        gate.pass_through()

    gate.wait_arrived()
    assert when(Cown(1))(lambda cown: cown.value + 1).result() == 2


def test_result_of_a_cown_nothing_is_scheduled_on() -> None:
    assert Cown("free").result() == "free"


def test_result_without_a_runtime() -> None:
    assert output_of("from bocpy import Cown\nprint(Cown([1]).result())") == "[1]\n"


def test_result_can_be_asked_again() -> None:
    @when()
    def one():
        return [1]

    assert [one.result() for _ in range(3)] == [[1]] * 3


def test_result_does_not_disturb_the_queue(two_workers: None) -> None:
    cown = Cown([])

    def append(cown, item):
        cown.value.append(item)

    seen = []
    for item in range(20):
        when(cown)(lambda cown: append(cown, item))  # noqa: B023
        if item % 5 == 0:
            seen.append(cown.result()[-1])
    assert cown.result() == list(range(20))
    assert seen == [0, 5, 10, 15]


def test_result_is_the_callers_own_copy() -> None:
    cown = Cown({"list": [1]})
    mine = cown.result()
    mine["list"].append("mine")
    assert cown.result() == {"list": [1]}

    @when(cown)
    def change(cown):
        cown.value["list"].append(2)

    change.result()
    assert mine == {"list": [1, "mine"]}
    assert cown.result() == {"list": [1, 2]}


def test_take_moves_the_value_out() -> None:
    cown = Cown([1])
    assert cown.result(take=True) == [1]
    assert cown.result(take=True) is None
    assert cown.result() is None


@pytest.mark.backend("threads", reason="here the payload is the object itself")
def test_take_gives_the_object_itself() -> None:
    value = [1]
    cown = Cown(value)
    assert cown.result() is not value
    assert cown.result(take=True) is value


def test_take_is_a_writer_in_the_queue() -> None:
    cown = Cown([])

    def append(cown):
        cown.value.append(1)

    for _ in range(10):
        when(cown)(append)
    assert cown.result(take=True) == [1] * 10

    @when(cown)
    def refill(cown):
        empty, cown.value = cown.value, "again"
        return empty

    assert refill.result() is None
    assert cown.result() == "again"


@pytest.mark.backend("threads", reason="elsewhere such a value cannot leave its interpreter")
def test_take_moves_what_cannot_be_copied() -> None:
    @when()
    def make():
        return (number for number in range(3))

    assert list(make.result(take=True)) == [0, 1, 2]


def test_take_is_a_keyword() -> None:
    with pytest.raises(TypeError):
        Cown(1).result(None, True)  # type: ignore[misc]


@pytest.mark.parametrize("timeout", [0, SHORT, -1])
def test_result_gives_up_after_its_timeout(timeout: float, gate: Gate) -> None:
    start(1)

    @when()
    def slow():
        gate.pass_through()
        return [1]

    gate.wait_arrived()
    with pytest.raises(TimeoutError):
        slow.result(timeout)
    with pytest.raises(TimeoutError):
        slow.result(timeout=timeout, take=True)
    gate.open()
    assert slow.result(DEADLINE) == [1]


def test_a_timeout_does_not_hit_what_is_ready() -> None:
    assert Cown(1).result(0) == 1
    assert Cown(1).result(timeout=0, take=True) == 1
    assert Cown(1).result(1e12) == 1
    assert Cown(1).result(float("inf")) == 1


@pytest.mark.parametrize("timeout", ["1", [], 1j])
def test_a_timeout_that_is_no_number(timeout: object) -> None:
    with pytest.raises(TypeError):
        Cown(1).result(timeout)  # type: ignore[arg-type]


def test_result_raises_what_the_behavior_raised() -> None:
    @when(Cown(1))
    def boom(cown):
        raise LookupError("gone", cown.value)

    for _ in range(2):
        with pytest.raises(LookupError) as error:
            boom.result()
        assert error.value.args == ("gone", 1)


def test_result_returns_an_exception_that_was_returned() -> None:
    assert type(when()(lambda: ValueError("a value")).result()) is ValueError


def test_result_in_many_threads() -> None:
    @when()
    def one():
        return [1]

    assert run_threads(*[one.result] * 4) == [[1]] * 4


def test_only_one_thread_can_take() -> None:
    cown = Cown([1])
    taken = run_threads(*[lambda: cown.result(take=True)] * 4)
    assert (taken.count([1]), taken.count(None)) == (1, 3)


def test_ctrl_c_while_waiting_for_a_result() -> None:
    program = """
import os, signal, threading
from bocpy import start, when
start(1)
opened_in, opened_out = os.pipe()

@when()
def slow():
    os.read(opened_in, 1)
    return "done"

try:
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    slow.result()
except KeyboardInterrupt:
    print("interrupted")
os.write(opened_out, b"x")
print(slow.result())
"""
    assert output_of(program) == "interrupted\ndone\n"


# unwrap --------------------------------------------------------------------------------------------------------------


def test_unwrap_takes_the_value_out() -> None:
    cown = Cown([1])
    assert cown.unwrap() == [1]
    assert cown.unwrap() is None
    assert cown.result() is None


def test_unwrap_after_quiesce_and_after_wait() -> None:
    def make():
        return [1]

    first, second = when()(make), when()(make)
    quiesce()
    assert first.unwrap() == [1]
    wait()
    assert second.unwrap() == [1]


def test_unwrap_while_in_flight(gate: Gate, two_workers: None) -> None:
    @when()
    def slow():
        gate.pass_through()
        return 1

    gate.wait_arrived()
    with pytest.raises(RuntimeError, match="still in flight"):
        slow.unwrap()
    gate.open()
    assert slow.result() == 1
    quiesce()
    assert slow.unwrap() == 1


def test_unwrap_asks_only_for_its_own_cown(gate: Gate, two_workers: None) -> None:
    when()(lambda: gate.pass_through())
    gate.wait_arrived()
    assert Cown(5).unwrap() == 5


def test_unwrap_of_a_cown_that_behaviors_wait_for(gate: Gate, two_workers: None) -> None:
    cown, other = Cown(1), Cown(2)
    when(other)(lambda other: gate.pass_through())
    gate.wait_arrived()
    last = when(cown, other)(lambda cown, other: cown.value)
    with pytest.raises(RuntimeError, match="still in flight"):
        cown.unwrap()
    gate.open()
    assert last.result() == 1


def test_unwrap_raises_the_failure() -> None:
    @when()
    def boom():
        raise LookupError("gone")

    quiesce()
    with pytest.raises(LookupError, match="gone"):
        boom.unwrap()
    assert boom.unwrap() is None


def test_an_emptied_cown_can_be_used_again() -> None:
    cown = Cown(1)
    cown.unwrap()

    @when(cown)
    def refill(cown):
        cown.value = 2

    refill.result()
    quiesce()
    assert cown.unwrap() == 2


def test_unwrap_returns_an_exception_that_was_returned() -> None:
    result = when()(lambda: KeyError("k"))
    quiesce()
    assert type(result.unwrap()) is KeyError
