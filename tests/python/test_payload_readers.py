"""Readers of values that live elsewhere, and values of workers that stop.

The first reader elsewhere makes the value encoded; what it decodes is kept there until the next write.
"""

from __future__ import annotations

from boc_testing import DEADLINE, Gate
from bocpy import Cown, read, start, wait, when
from payload_testing import MOVING, anchors, beside, counts, fetched, here, live_apart


def test_readers_of_one_behavior_see_one_object(two_workers: None, gate: Gate) -> None:
    left, right = anchors(gate)
    cown = Cown(None)
    beside(left, cown)(lambda cown: setattr(cown, "value", [1, [2]])).result()
    for place in (left, right):

        @beside(place, read(cown), read([cown, cown]))
        def same(one, group):
            return one.value is one.value is group[0].value is group[1].value

        assert same.result()


def test_copies_of_readers_are_kept_until_the_next_write(two_workers: None, gate: Gate) -> None:
    left, right = anchors(gate)
    cown = Cown(None)

    def write(cown, n):
        cown.value = [n] * 1000

    def look(cown):
        return id(cown.value), cown.value[0]

    for n in (1, 2):
        beside(left, cown)(lambda cown, n=n: write(cown, n)).result()
        before = counts()
        seen = [beside(right, read(cown))(look).result() for _ in range(5)]
        assert [value for _, value in seen] == [n] * 5 and len({place for place, _ in seen}) == 1
        assert beside(left, read(cown))(look).result()[1] == n
        assert fetched(before) <= 1


def test_a_change_in_place_is_a_write(two_workers: None, gate: Gate) -> None:
    left, right = anchors(gate)
    cown = Cown([])
    for n in range(1, 6):
        for place in (left, right):
            beside(place, cown)(lambda cown: cown.value.append(0)).result()
            for reader in (right, left):
                assert beside(reader, read(cown))(lambda cown: len(cown.value)).result() in (2 * n - 1, 2 * n)
        assert len(cown.result()) == 2 * n


def test_readers_at_home_and_elsewhere_at_once(gate: Gate, new_gate) -> None:
    start(3)
    places = anchors(gate, 3)
    cown, inside = Cown(None), new_gate()
    beside(places[0], cown)(lambda cown: setattr(cown, "value", list(range(5000)))).result()

    def look(cown):
        inside.pass_through()
        return sum(cown.value)

    before = counts() if not MOVING else None
    readers = [beside(place, read(cown))(look) for place in places]
    inside.wait_arrived(3)
    inside.open()
    assert [reader.result() for reader in readers] == [12497500] * 3
    assert before is None or fetched(before) == 0
    # The next writer is at home: what the readers had is out of date.
    beside(places[0], cown)(lambda cown: cown.value.clear()).result()
    assert [beside(place, read(cown))(lambda cown: len(cown.value)).result() for place in places] == [0] * 3


def test_a_reader_that_returns_the_value_gives_a_copy(two_workers: None, gate: Gate) -> None:
    left, right = anchors(gate)
    cown = Cown(None)
    beside(left, cown)(lambda cown: setattr(cown, "value", [1])).result()
    for place in (left, right):
        given = beside(place, read(cown))(lambda cown: cown.value)
        when(given)(lambda given: given.value.append(2))
        assert given.result() == [1, 2] and cown.result() == [1]


def test_main_reads_beside_workers(two_workers: None, gate: Gate, new_gate) -> None:
    left, _ = anchors(gate)
    cown, inside = Cown(None), new_gate()
    beside(left, cown)(lambda cown: setattr(cown, "value", [1, 2])).result()

    def look(cown):
        inside.pass_through()
        return len(cown.value)

    reader = beside(left, read(cown))(look)
    inside.wait_arrived()
    assert cown.result(timeout=DEADLINE) == [1, 2]
    inside.open()
    assert reader.result() == 2


def test_statistics_begin_with_the_workers() -> None:
    for _ in range(2):
        start(1)
        cown = Cown([1])
        for _ in range(5):
            when(cown)(lambda cown: cown.value.append(1))
        stats = wait(stats=True)
        assert sum(worker["executed"] for worker in stats) == 5
        if MOVING:
            assert sum(worker["resident_hits"] for worker in stats) <= 5


# the worker where a value lives stops --------------------------------------------------------------------------------


def test_values_of_a_worker_that_does_not_start_again(gate: Gate) -> None:
    start(2)
    cowns = live_apart(gate, *[lambda: [here()]] * 2)
    wait()
    start(1)
    uses = [when(cown)(lambda cown: cown.value.append(here()) or len(cown.value)) for cown in cowns]
    assert [use.result() for use in uses] == [2, 2]
    assert len({cown.result()[1] for cown in cowns}) == 1
    wait()
    assert all(len(cown.value) == 2 for cown in cowns)


def test_values_outlast_many_restarts(new_gate) -> None:
    cowns = [Cown([0]) for _ in range(12)]
    for count in (4, 1, 3, 2, 8, 1, 2):
        start(count)
        for i, cown in enumerate(cowns):
            when(cown, cowns[i - count])(lambda cown, other: (cown.value.append(0), other.value.append(0)))
        wait()
    assert [len(cown.value) for cown in cowns] == [15] * 12
