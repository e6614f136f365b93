"""`with c:`, `acquire`, `release`: a thread takes its turn in the queue of a cown."""

from __future__ import annotations

import threading

import pytest
from boc_testing import SHORT, Gate, caught, output_of, run_threads
from bocpy import Cown, hold, quiesce, read, start, when

# with c: -------------------------------------------------------------------------------------------------------------


def test_with_yields_the_value() -> None:
    cown = Cown([1])
    with cown as value:
        assert value == [1]
        value.append(2)
        cown.value.append(3)
        assert cown.acquired is True
    assert cown.acquired is False
    assert cown.result() == [1, 2, 3]


def test_assigning_while_held() -> None:
    cown = Cown(1)
    with cown as value:
        cown.value = value + 1
        assert cown.value == 2
    assert cown.result() == 2


def test_after_with_the_value_is_closed_again() -> None:
    start()
    cown = Cown(1)
    with cown:
        pass
    with pytest.raises(RuntimeError):
        _ = cown.value


def test_with_releases_when_the_block_raises() -> None:
    cown = Cown(1)
    with pytest.raises(KeyError), cown:
        cown.value = 2
        raise KeyError("k")
    assert cown.acquired is False
    assert cown.result() == 2


def test_with_takes_its_turn_in_the_queue(gate: Gate) -> None:
    start(1)
    cown = Cown([])

    @when(cown)
    def before(cown):
        gate.pass_through()
        cown.value.append("behavior before")

    gate.wait_arrived()
    threading.Timer(SHORT, gate.open).start()
    with cown as value:
        value.append("thread")

        @when(cown)
        def after(cown):
            cown.value.append("behavior after")

        value.append("still the thread")
    quiesce()
    assert cown.result() == ["behavior before", "thread", "still the thread", "behavior after"]


def test_behaviors_wait_while_a_thread_holds(two_workers: None) -> None:
    cown = Cown(0)
    with cown:

        @when(cown)
        def change(cown):
            cown.value += 1

        @when()
        def unrelated():
            return "ran"

        assert unrelated.result() == "ran"
        assert cown.value == 0
    assert change.result() is None
    assert cown.result() == 1


def test_with_on_a_failed_result_yields_the_exception() -> None:
    @when()
    def boom():
        raise ValueError("boom")

    with boom as value:
        assert type(value) is ValueError
        assert boom.exception is True


def test_threads_exclude_each_other() -> None:
    cown = Cown(0)

    def add():
        for _ in range(300):
            with cown as value:
                cown.value = value + 1

    run_threads(add, add, add)
    assert cown.result() == 900


def test_threads_and_behaviors_exclude_each_other(two_workers: None) -> None:
    cown = Cown(0)

    def bump(cown):
        before = cown.value
        cown.value = before + 1

    def add():
        for _ in range(200):
            when(cown)(bump)
            with cown as value:
                cown.value = value + 1

    run_threads(add, add)
    quiesce()
    assert cown.result() == 800


# acquire and release -------------------------------------------------------------------------------------------------


def test_acquire_and_release() -> None:
    cown = Cown(1)
    assert cown.acquire() is None
    cown.value = 2
    assert cown.acquired is True
    assert cown.release() is None
    assert cown.acquired is False
    assert cown.result() == 2


def test_holding_is_reentrant() -> None:
    cown = Cown(1)
    with cown:
        cown.acquire()
        with cown as value:
            assert value == 1
        assert cown.acquired is True
        cown.release()
        assert cown.acquired is True
        cown.value = 2
    assert cown.acquired is False
    assert cown.result() == 2


def test_release_without_holding() -> None:
    cown = Cown(1)
    with pytest.raises(RuntimeError):
        cown.release()
    cown.acquire()
    cown.release()
    with pytest.raises(RuntimeError):
        cown.release()


def test_a_hold_belongs_to_its_thread() -> None:
    start()
    cown = Cown(1)
    with cown:
        errors = run_threads(
            lambda: caught(lambda: cown.value)[0],
            lambda: caught(cown.release)[0],
            lambda: caught(cown.acquire, SHORT)[0],
        )
        assert errors == ["RuntimeError", "RuntimeError", "TimeoutError"]
        assert cown.value == 1


@pytest.mark.parametrize("timeout", [0, SHORT, -1])
def test_acquire_gives_up_after_its_timeout(timeout: float, gate: Gate, two_workers: None) -> None:
    cown = Cown([])

    @when(cown)
    def first(cown):
        gate.pass_through()
        cown.value.append("first")

    gate.wait_arrived()
    with pytest.raises(TimeoutError):
        cown.acquire(timeout)
    with pytest.raises(TimeoutError):
        cown.acquire(timeout=timeout)
    assert cown.acquired is False
    gate.open()
    cown.acquire(timeout=None)
    assert cown.value == ["first"]
    cown.release()


def test_abandoned_requests_do_not_disturb_the_queue(gate: Gate, two_workers: None) -> None:
    cown = Cown([])

    def append(cown, item):
        cown.value.append(item)

    when(cown)(lambda cown: gate.pass_through())
    for item in range(5):
        when(cown)(lambda cown: append(cown, item))  # noqa: B023
        with pytest.raises(TimeoutError):
            cown.acquire(timeout=0.001)
        with pytest.raises(TimeoutError), hold(read(cown), Cown(0), timeout=0.001):
            pass
    gate.open()
    assert cown.result() == [0, 1, 2, 3, 4]
    with cown:
        assert cown.acquired is True


def test_an_abandoned_request_at_the_end_of_the_queue(gate: Gate, two_workers: None) -> None:
    cown = Cown(1)

    @when(cown)
    def first(cown):
        gate.pass_through()

    gate.wait_arrived()
    with pytest.raises(TimeoutError):
        cown.acquire(timeout=SHORT)
    gate.open()
    first.result()
    quiesce()
    assert when(cown)(lambda cown: cown.value).result() == 1


def test_ctrl_c_abandons_the_request() -> None:
    program = """
import os, signal, threading
from bocpy import Cown, start, when
start(1)
cown = Cown([])
opened_in, opened_out = os.pipe()
begun_in, begun_out = os.pipe()

@when(cown)
def first(cown):
    os.write(begun_out, b"x")
    os.read(opened_in, 1)
    cown.value.append("first")

try:
    os.read(begun_in, 1)
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    with cown:
        print("not reached")
except KeyboardInterrupt:
    print("interrupted", cown.acquired)

@when(cown)
def second(cown):
    cown.value.append("second")

os.write(opened_out, b"x")
with cown as value:
    print(value)
"""
    assert output_of(program) == "interrupted False\n['first', 'second']\n"


# while one is held ---------------------------------------------------------------------------------------------------


def test_a_second_with_succeeds_if_its_cown_is_free() -> None:
    a, b = Cown(1), Cown(2)
    with a, b:
        a.value, b.value = b.value, a.value
    assert (a.result(), b.result()) == (2, 1)


def test_a_second_with_on_a_busy_cown_is_an_error(gate: Gate, two_workers: None) -> None:
    a, b = Cown(1), Cown(2)

    @when(b)
    def busy(b):
        gate.pass_through()

    gate.wait_arrived()
    with a:
        with pytest.raises(RuntimeError, match="hold"), b:
            pass
        with pytest.raises(RuntimeError, match="hold"):
            b.acquire()
        with pytest.raises(RuntimeError), hold(b, Cown(3)):
            pass
        assert a.value == 1
    gate.open()
    with b as value:
        assert value == 2
