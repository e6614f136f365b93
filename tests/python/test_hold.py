"""`hold(a, b)`: a thread takes several cowns at once, as one request."""

from __future__ import annotations

import threading

import pytest
from boc_testing import SHORT, Gate, caught, run_threads
from bocpy import Cown, hold, read, start, wait, when


def test_hold_takes_several_at_once() -> None:
    a, b = Cown(1), Cown(2)
    with hold(a, b) as held:
        assert type(held) is tuple and held == (a, b)
        assert a.acquired and b.acquired
        a.value, b.value = b.value, a.value
    assert not a.acquired and not b.acquired
    assert (a.result(), b.result()) == (2, 1)


def test_hold_in_any_order_never_deadlocks() -> None:
    a, b, c = Cown(0), Cown(0), Cown(0)

    def add(*cowns):
        for _ in range(150):
            with hold(*cowns) as held:
                for cown in held:
                    cown.value += 1

    run_threads(lambda: add(a, b, c), lambda: add(c, b, a), lambda: add(b, c, a))
    assert (a.result(), b.result(), c.result()) == (450, 450, 450)


def test_hold_with_the_same_cown_twice() -> None:
    cown = Cown(1)
    with hold(cown, cown) as (first, second):
        first.value = 5
        assert second.value == 5
    assert not cown.acquired
    assert cown.result() == 5


def test_hold_for_reading() -> None:
    start()
    a, b = Cown(1), Cown(2)
    with hold(read(a), b) as (reader, writer):
        writer.value = reader.value
        with pytest.raises(RuntimeError, match="read"):
            reader.value = 9
    assert (a.result(), b.result()) == (1, 1)


def test_holding_for_reading_lets_readers_in(two_workers: None) -> None:
    cown = Cown(1)
    with hold(read(cown)):

        @when(read(cown))
        def look(cown):
            return cown.value

        assert look.result() == 1


def test_hold_waits_for_its_turn(gate: Gate) -> None:
    start(1)
    a, b = Cown([]), Cown([])

    @when(b)
    def before(b):
        gate.pass_through()
        b.value.append("before")

    gate.wait_arrived()
    threading.Timer(SHORT, gate.open).start()
    with hold(a, b):
        assert b.value == ["before"]


def test_hold_gives_up_after_its_timeout(gate: Gate, two_workers: None) -> None:
    a, b = Cown(1), Cown(2)

    @when(b)
    def busy(b):
        gate.pass_through()

    gate.wait_arrived()
    with pytest.raises(TimeoutError), hold(a, b, timeout=SHORT):
        pass
    assert not a.acquired and not b.acquired
    assert when(a)(lambda a: a.value).result() == 1  # the half that was free is free again
    gate.open()
    with hold(a, b, timeout=None):
        assert (a.value, b.value) == (1, 2)


def test_hold_releases_when_the_block_raises() -> None:
    a, b = Cown(1), Cown(2)
    with pytest.raises(KeyError), hold(a, b):
        raise KeyError
    assert not a.acquired and not b.acquired
    with a, b:
        pass


def test_hold_can_be_entered_when_held_already() -> None:
    a, b = Cown(1), Cown(2)
    with hold(a, b):
        with a as value:
            assert value == 1
        with hold(b, a):
            pass
        assert a.acquired and b.acquired
    assert not a.acquired and not b.acquired


def test_one_hold_used_more_than_once() -> None:
    cown = Cown(1)
    one = hold(cown)
    for _ in range(2):
        with one:
            cown.value += 1
    with one, pytest.raises(RuntimeError), one:
        pass
    assert cown.acquired is False
    assert cown.result() == 3


def test_hold_with_groups() -> None:
    a, b, c = Cown(1), Cown(2), Cown(3)
    with hold([a, b], read((c,))) as held:
        assert set(held) == {a, b, c}
        a.value = b.value + c.value
    assert a.result() == 5


@pytest.mark.parametrize("argument", [1, None, "cown"])
def test_hold_refuses_what_is_no_cown(argument: object) -> None:
    cown = Cown(1)
    with pytest.raises(TypeError, match=r"(?i)cown"), hold(cown, argument):  # type: ignore[call-overload]
        pass
    assert cown.acquired is False


# in a behavior -------------------------------------------------------------------------------------------------------


def test_in_a_behavior_holding_is_an_error() -> None:
    mine, other = Cown(1), Cown(2)

    def enter(cown):
        with cown:
            pass

    def enter_hold(cown):
        with hold(cown):
            pass

    @when(mine)
    def attempt(mine):
        return [
            caught(enter, other),
            caught(enter_hold, other),
            caught(other.acquire),
            caught(other.acquire, 0),
            caught(enter_hold, mine),
        ]

    for name, text in attempt.result():
        assert name == "RuntimeError"
        assert "@when" in text
    with other as value:
        assert value == 2


def test_a_hold_lasts_over_the_end_of_the_runtime() -> None:
    cown = Cown(1)
    with cown:
        start(1)
        wait()
        assert cown.acquired is True
        start(1)
        cown.value = 2
    assert cown.result() == 2
