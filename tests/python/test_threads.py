"""Any Python thread may create cowns, schedule, hold and wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

from boc_testing import DEADLINE, Gate, caught, run_threads
from bocpy import Cown, batch, hold, quiesce, read, start, wait, when, whencall


def add(cown, step=1):
    cown.value += step
    return cown.value


def test_a_thread_does_everything_alone() -> None:
    def whole_program():
        cown = Cown([1])

        @when(cown)
        def grow(cown):
            cown.value.append(2)

        with cown as value:
            value.append(3)
        quiesce()
        seen = grow.result(), cown.result(), cown.unwrap()
        wait()
        return seen

    assert run_threads(whole_program) == [(None, [1, 2, 3], [1, 2, 3])]


def test_a_thread_is_the_first_to_use_the_runtime() -> None:
    assert run_threads(lambda: when()(lambda: "ran").result()) == ["ran"]
    assert when()(lambda: "main").result() == "main"


def test_many_threads_schedule_on_one_cown() -> None:
    cown = Cown(0)

    def schedule():
        for _ in range(200):
            when(cown)(add)

    run_threads(*[schedule] * 4)
    assert cown.result() == 800


def test_many_threads_schedule_on_overlapping_cowns() -> None:
    """In every order: with locks this would be the classical deadlock."""
    cowns = [Cown(0) for _ in range(5)]

    def both(a, b):
        a.value += 1
        b.value += 1

    def schedule(shift):
        for i in range(100):
            when(cowns[(i + shift) % 5], cowns[(i * 3 + 2 * shift + 1) % 5])(both)
            when(read(cowns[shift]), cowns[(shift + 1) % 5])(lambda reader, cown: reader.value)

    run_threads(*[lambda shift=shift: schedule(shift) for shift in range(4)])
    quiesce()
    assert sum(cown.result() for cown in cowns) == 4 * 100 * 2


def test_cowns_made_in_one_thread_are_used_in_another() -> None:
    cowns = run_threads(lambda: [Cown(i) for i in range(10)])[0]
    results = run_threads(lambda: [when(cown)(add) for cown in cowns])[0]
    assert [result.result() for result in results] == list(range(1, 11))


def test_a_thread_that_ends_before_its_behaviors(gate: Gate) -> None:
    start(2)
    cown = Cown(0)

    def schedule():
        when(cown)(lambda cown: gate.pass_through())
        for _ in range(10):
            when(cown)(add)

    run_threads(schedule)
    gate.open()
    assert cown.result() == 10


def test_a_pool_of_threads() -> None:
    cown = Cown(0)

    def job(n):
        return when(cown)(lambda cown: add(cown, n)).result()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        totals = list(pool.map(job, range(50)))
    assert max(totals) == sum(range(50)) == cown.result()


def test_asyncio_threads() -> None:
    cown = Cown(0)

    async def main():
        return await asyncio.gather(*[asyncio.to_thread(lambda: when(cown)(add).result()) for _ in range(10)])

    assert sorted(asyncio.run(main())) == list(range(1, 11))


def test_many_threads_wait_at_once() -> None:
    cown = Cown(0)

    def work():
        for _ in range(20):
            when(cown)(add)
            quiesce()

    run_threads(*[work] * 3)
    assert cown.result() == 60


def test_threads_use_every_means_at_once() -> None:
    a, b = Cown(0), Cown(0)

    def move(source, target):
        source.value -= 1
        target.value += 1

    def schedules():
        for _ in range(50):
            when(a, b)(move)

    def batches():
        for _ in range(25):
            with batch():
                whencall(move, [b, a], [])
                whencall(move, [a, b], [])

    def holds():
        for _ in range(50):
            with hold(a, b):
                move(b, a)

    def looks():
        totals = []
        for _ in range(20):
            with hold(read(a), read(b)):
                totals.append(a.value + b.value)
        return totals

    totals = run_threads(schedules, batches, holds, looks)[-1]
    assert totals == [0] * 20
    quiesce()
    assert (a.result(), b.result()) == (0, 0)


def test_ownership_belongs_to_the_thread() -> None:
    start()
    cown = Cown(1)
    inside, outside = threading.Event(), threading.Event()

    def holds():
        with cown:
            inside.set()
            outside.wait(DEADLINE)

    def tries():
        inside.wait(DEADLINE)
        seen = cown.acquired, caught(lambda: cown.value)[0], caught(cown.release)[0], caught(cown.acquire, 0)[0]
        outside.set()
        return seen

    assert run_threads(holds, tries)[1] == (False, "RuntimeError", "RuntimeError", "TimeoutError")


def test_a_hold_does_not_pass_to_a_behavior_and_back(two_workers: None) -> None:
    held, other = Cown(1), Cown(2)
    with held:

        @when(other)
        def looks(other):
            return held.acquired, caught(lambda: held.value)[0]

        assert looks.result() == (False, "RuntimeError")
        assert held.acquired and not other.acquired


def test_threads_that_a_behavior_starts(two_workers: None) -> None:
    """They are threads like any other: outside the behavior, holding nothing."""
    mine, other = Cown(1), Cown(2)

    @when(mine)
    def starts(mine):
        seen = []

        def inside():
            when(other)(add)
            seen.append(mine.acquired)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join(DEADLINE)
        return seen, mine.acquired

    assert starts.result() == ([False], True)
    quiesce()
    assert other.result() == 3


def test_hundreds_of_threads_one_after_another() -> None:
    cown = Cown(0)
    for _ in range(300):
        thread = threading.Thread(target=lambda: when(cown)(add))
        thread.start()
        thread.join(DEADLINE)
    assert cown.result() == 300
