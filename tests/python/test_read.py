"""`read(c)`: many behaviors hold the value at once; a writer has it alone; the queue keeps its order."""

from __future__ import annotations

import pytest
from boc_testing import SHORT, Gate, caught, run_threads
from bocpy import Cown, hold, quiesce, read, start, when


def test_a_reader_sees_the_value() -> None:
    @when(read(Cown([1, 2])))
    def look(cown):
        return cown.value, cown.acquired, cown.exception

    assert look.result() == ([1, 2], True, False)


@pytest.mark.parametrize("make", [list, tuple])
def test_a_group_of_readers_arrives_as_a_list(make: type) -> None:
    group = make(Cown(i) for i in range(4))

    @when(read(group), Cown("writer"))
    def look(group, writer):
        return type(group) is list, [c.value for c in group], writer.value

    assert look.result() == (True, [0, 1, 2, 3], "writer")


def test_an_empty_group_of_readers() -> None:
    @when(read([]))
    def look(group):
        return group

    assert look.result() == []


def test_readers_run_in_parallel(gate: Gate) -> None:
    start(3)
    cown = Cown("shared")

    def meet(cown):
        gate.pass_through()
        return cown.value

    results = [when(read(cown))(meet) for _ in range(3)]
    gate.wait_arrived(3)  # all three are inside at this moment
    gate.open()
    assert [result.result() for result in results] == ["shared"] * 3


def test_readers_that_waited_run_in_parallel(gate: Gate, new_gate) -> None:
    """A cascade: they were queued behind a writer and are let go together."""
    start(3)
    writing = new_gate()
    cown = Cown("old")

    @when(cown)
    def write(cown):
        writing.pass_through()
        cown.value = "new"

    def meet(cown):
        gate.pass_through()
        return cown.value

    results = [when(read(cown))(meet) for _ in range(3)]
    writing.wait_arrived()
    assert not gate.anybody_arrived()
    writing.open()
    gate.wait_arrived(3)
    gate.open()
    assert [result.result() for result in results] == ["new"] * 3
    assert write.result() is None


def test_a_writer_waits_for_all_readers(gate: Gate) -> None:
    start(3)
    cown = Cown(1)

    def meet(cown):
        gate.pass_through()

    for _ in range(2):
        when(read(cown))(meet)

    @when(cown)
    def write(cown):
        cown.value = 2
        return "written"

    gate.wait_arrived(2)
    with pytest.raises(TimeoutError):
        write.result(timeout=SHORT)
    gate.open()
    assert write.result() == "written"


def test_the_queue_keeps_its_order() -> None:
    cown = Cown(0)

    def add(cown):
        cown.value += 1

    def look(cown):
        return cown.value

    seen = []
    for _ in range(50):
        seen.append(when(read(cown))(look))
        when(cown)(add)
        seen.append(when(read(cown))(look))
    assert [result.result() for result in seen] == [n for i in range(50) for n in (i, i + 1)]


def test_a_later_reader_does_not_overtake_a_waiting_writer(gate: Gate) -> None:
    start(3)
    cown = Cown("old")

    @when(read(cown))
    def first(cown):
        gate.pass_through()
        return cown.value

    @when(cown)
    def write(cown):
        cown.value = "new"

    @when(read(cown))
    def last(cown):
        return cown.value

    gate.wait_arrived()
    with pytest.raises(TimeoutError):
        last.result(timeout=SHORT)
    gate.open()
    assert (first.result(), write.result(), last.result()) == ("old", None, "new")


def test_assigning_in_a_reader_is_an_error() -> None:
    cown = Cown(1)

    @when(read(cown))
    def attempt(cown):
        def assign():
            cown.value = 2

        return caught(assign), cown.value

    (name, text), value = attempt.result()
    assert name == "RuntimeError" and "read" in text
    assert value == 1
    assert cown.result() == 1


def test_the_failed_assignment_fails_the_behavior_only() -> None:
    cown = Cown(1)

    @when(read(cown))
    def attempt(cown):
        cown.value = 2

    with pytest.raises(RuntimeError, match="read"):
        attempt.result()
    assert cown.result() == 1


def test_read_and_write_of_one_cown_is_a_write() -> None:
    cown = Cown(1)

    @when(read(cown), cown)
    def both(reader, writer):
        writer.value = 5
        return reader.value

    assert both.result() == 5
    assert cown.result() == 5


def test_the_same_reader_twice() -> None:
    cown = Cown(1)

    @when(read(cown), read([cown, cown]))
    def look(one, group):
        return one.value, [c.value for c in group]

    assert look.result() == (1, [1, 1])


def test_read_arguments_are_kept_for_many_schedules() -> None:
    reader = read(Cown(3))

    def look(cown):
        return cown.value

    assert [when(reader)(look).result() for _ in range(3)] == [3, 3, 3]


def test_readers_and_writers_of_several_cowns() -> None:
    rates, accounts = Cown({"eur": 2}), [Cown(i) for i in range(4)]

    def convert(rates, account):
        account.value *= rates.value["eur"]

    for account in accounts:
        when(read(rates), account)(convert)

    @when(read(accounts))
    def total(accounts):
        return sum(account.value for account in accounts)

    assert total.result() == 12


def test_threads_read_in_parallel() -> None:
    import threading

    start(1)
    cown = Cown([1])
    inside = threading.Barrier(2)

    def look():
        with hold(read(cown)) as (held,):
            inside.wait(10)
            return list(held.value)

    assert run_threads(look, look) == [[1], [1]]


def test_a_failed_reader_releases_the_cown() -> None:
    cown = Cown(1)

    @when(read(cown))
    def boom(cown):
        raise ValueError("boom")

    @when(cown)
    def write(cown):
        cown.value = 2

    assert write.result() is None
    assert cown.result() == 2
    with pytest.raises(ValueError, match="boom"):
        boom.result()


@pytest.mark.parametrize("argument", [1, None, "x", [1], [Cown(1), 2], {Cown(1)}, [[Cown(1)]]])
def test_reading_something_that_is_no_cown(argument: object) -> None:
    with pytest.raises(TypeError, match=r"(?i)cown"):
        when(read(argument))(lambda cown: None)  # type: ignore[call-overload]
    assert quiesce(stats=True) == []
