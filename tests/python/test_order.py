"""The order that programs may rely on: behaviors that share a cown run in the order of their `@when`s, where those
were ordered themselves. Nothing else is promised, so nothing else is tested."""

from __future__ import annotations

import random
import threading

from boc_testing import DEADLINE, run_threads
from bocpy import Cown, batch, quiesce, read, start, when, whencall


def note(*args):
    *cowns, item = args
    for cown in cowns:
        cown.value.append(item)


def test_behaviors_of_one_cown_run_in_order() -> None:
    start(3)
    cown = Cown([])
    for i in range(500):
        whencall(note, [cown], [i])
    assert cown.result() == list(range(500))


def test_behaviors_that_share_one_of_several_cowns_run_in_order() -> None:
    start(3)
    chance = random.Random(1)
    cowns = [Cown([]) for _ in range(6)]
    expected: list[list[int]] = [[] for _ in cowns]
    for i in range(400):
        chosen = chance.sample(range(6), chance.randint(1, 4))
        whencall(note, [cowns[n] for n in chosen], [i])
        for n in chosen:
            expected[n].append(i)
    assert [cown.result() for cown in cowns] == expected


def test_readers_and_writers_keep_their_order() -> None:
    start(3)
    chance = random.Random(2)
    cown, results, expected, writes = Cown(0), [], [], 0

    def add(cown):
        cown.value += 1
        return cown.value

    for _ in range(300):
        if chance.random() < 0.3:
            results.append(when(cown)(add))
            writes += 1
        else:
            results.append(when(read(cown))(lambda cown: cown.value))
        expected.append(writes)
    assert [result.result() for result in results] == expected


def test_a_nested_behavior_comes_behind_what_is_queued(two_workers: None) -> None:
    cown = Cown([])
    with cown:  # nothing begins before both are queued

        @when(cown)
        def outer(cown):
            cown.value.append("outer")
            whencall(note, [cown], ["inner"])

        whencall(note, [cown], ["queued"])
    quiesce()
    assert cown.result() == ["outer", "queued", "inner"]
    assert outer.result() is None


def test_what_a_behavior_schedules_keeps_its_order() -> None:
    start(3)
    cown = Cown([])

    @when()
    def parent():
        for i in range(200):
            whencall(note, [cown], [i])

    parent.result()
    assert cown.result() == list(range(200))


def test_order_across_threads_that_hand_over() -> None:
    start(2)
    cown = Cown([])
    turns = [threading.Event() for _ in range(21)]
    turns[0].set()

    def take_turns(first):
        for turn in range(first, 20, 2):
            assert turns[turn].wait(DEADLINE)
            whencall(note, [cown], [turn])
            turns[turn + 1].set()

    run_threads(lambda: take_turns(0), lambda: take_turns(1))
    assert cown.result() == list(range(20))


def test_order_across_a_behavior_that_schedules() -> None:
    """main schedules A, A's end lets B begin, B schedules: all of these are ordered."""
    start(3)
    log, signal = Cown([]), Cown(None)
    whencall(note, [log], ["first"])

    @when(signal)
    def b(signal):
        whencall(note, [log], ["second"])

    b.result()
    whencall(note, [log], ["third"])
    assert log.result() == ["first", "second", "third"]


def test_each_thread_keeps_its_own_order() -> None:
    start(3)
    cown = Cown([])

    def schedule(name):
        for i in range(150):
            whencall(note, [cown], [(name, i)])

    run_threads(lambda: schedule("x"), lambda: schedule("y"))
    log = cown.result()
    for name in "xy":
        assert [i for n, i in log if n == name] == list(range(150))


def test_a_producer_runs_before_who_reads_its_result() -> None:
    start(3)
    log = Cown([])
    for i in range(100):

        @when()
        def produce():
            return i  # noqa: B023

        @when(produce, log)
        def consume(produced, log):
            log.value.append(produced.value)

    assert log.result() == list(range(100))


def test_an_atomic_view_of_overlapping_sets() -> None:
    """Two threads schedule over {a, b} in opposite orders; both cowns see the same sequence."""
    start(3)
    a, b = Cown([]), Cown([])

    def schedule(cowns, name):
        for i in range(150):
            whencall(note, cowns, [(name, i)])

    run_threads(lambda: schedule([a, b], "x"), lambda: schedule([b, a], "y"))
    assert a.result() == b.result()


def test_a_batch_keeps_the_order_of_its_members() -> None:
    start(3)
    cown = Cown([])
    whencall(note, [cown], ["before"])
    with batch():
        for i in range(50):
            whencall(note, [cown], [i])
    whencall(note, [cown], ["after"])
    assert cown.result() == ["before", *range(50), "after"]
