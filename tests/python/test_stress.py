"""Short random programs against an obvious model: each cown is a list, and what runs on it is noted there in turn."""

from __future__ import annotations

import contextlib
import random
import time

import pytest
from boc_testing import run_threads
from bocpy import CancelledError, Cown, batch, hold, quiesce, read, scope, start, whencall

COWNS = 6


class Shared:
    """A cown's value: a log, and a flag that shows whether somebody is inside."""

    def __init__(self) -> None:
        self.log: list[object] = []
        self.inside: object = None

    def enter(self, name: object) -> None:
        assert self.inside is None, f"{name} met {self.inside}"
        self.inside = name

    def leave(self, name: object) -> None:
        assert self.inside == name
        self.inside = None
        self.log.append(name)


def behavior(*args):
    """Note the name in all that is written; return the lengths of what is read."""
    *parts, name, pause = args
    writers, readers = parts[0], parts[1]
    for cown in writers:
        cown.value.enter(name)
    for cown in readers:
        assert cown.value.inside is None
    before = [len(cown.value.log) for cown in readers]
    if pause:
        time.sleep(0)
    after = [len(cown.value.log) for cown in readers]
    assert before == after, "somebody wrote while this one read"
    for cown in writers:
        cown.value.leave(name)
    return after


def pick(chance: random.Random) -> tuple[list[int], list[int]]:
    chosen = chance.sample(range(COWNS), chance.randint(1, 4))
    split = chance.randint(0, len(chosen))
    return chosen[:split], chosen[split:]


def schedule(cowns, writes, reads, name, pause):
    return whencall(behavior, [[cowns[n] for n in writes], read([cowns[n] for n in reads])], [name, pause])


@pytest.mark.parametrize("seed", range(8))
def test_one_thread_schedules(seed: int) -> None:
    """Exclusion, order, exactly once: the logs are what they would be one after another."""
    chance = random.Random(seed)
    start(1 + seed % 3)
    cowns = [Cown(Shared()) for _ in range(COWNS)]
    model: list[list[object]] = [[] for _ in cowns]
    results, expected = [], []
    for name in range(200):
        writes, reads = pick(chance)
        results.append(schedule(cowns, writes, reads, name, chance.random() < 0.3))
        expected.append([len(model[n]) for n in reads])
        for n in writes:
            model[n].append(name)
    assert [result.result() for result in results] == expected
    assert [cown.result().log for cown in cowns] == model


@pytest.mark.parametrize("seed", range(4))
def test_several_threads_schedule(seed: int) -> None:
    """Each thread's own order is kept; everything runs exactly once; two cowns never disagree on an order."""
    start(1 + seed % 3)
    cowns = [Cown(Shared()) for _ in range(COWNS)]
    wrote: list[set[object]] = [set() for _ in cowns]

    def thread(number: int) -> None:
        chance = random.Random(100 * seed + number)
        results = []
        for turn in range(80):
            writes, reads = pick(chance)
            results.append(schedule(cowns, writes, reads, (number, turn), chance.random() < 0.3))
            for n in writes:
                wrote[n].add((number, turn))
            if chance.random() < 0.05:
                with hold(*[cowns[n] for n in writes or reads]):
                    pass
        for result in results:
            result.result()

    run_threads(*[lambda number=number: thread(number) for number in range(3)])
    logs = [cown.result().log for cown in cowns]
    for log, expected in zip(logs, wrote, strict=True):
        assert len(log) == len(expected) and set(log) == expected
        for number in range(3):
            turns = [turn for n, turn in log if n == number]
            assert turns == sorted(turns)
    places = [{name: at for at, name in enumerate(log)} for log in logs]
    for one in places:
        for other in places:
            common = sorted(one.keys() & other.keys(), key=one.__getitem__)
            assert common == sorted(common, key=other.__getitem__)


@pytest.mark.parametrize("seed", range(4))
def test_behaviors_schedule_behaviors(seed: int) -> None:
    """A random tree: every behavior runs exactly once, and children behind their parents."""
    start(1 + seed % 3)
    cowns = [Cown(Shared()) for _ in range(COWNS)]

    def grow(writers, name, depth):
        for cown in writers:
            cown.value.enter(name)
        chance = random.Random(str((seed, name)))
        for child in range(chance.randint(1, 2) if depth else 0):
            chosen = [cowns[n] for n in chance.sample(range(COWNS), chance.randint(1, 3))]
            whencall(grow, [chosen], [(*name, child), depth - 1])
        for cown in writers:
            cown.value.leave(name)

    with scope():
        for root in range(5):
            whencall(grow, [[cowns[root]]], [(root,), 4])

    expected: list[list[tuple[int, ...]]] = [[] for _ in cowns]

    def model(places, name, depth):
        for n in places:
            expected[n].append(name)
        chance = random.Random(str((seed, name)))
        for child in range(chance.randint(1, 2) if depth else 0):
            model(chance.sample(range(COWNS), chance.randint(1, 3)), (*name, child), depth - 1)

    for root in range(5):
        model([root], (root,), 4)
    for cown, names in zip(cowns, expected, strict=True):
        log = cown.result(timeout=0).log
        assert sorted(log) == sorted(names)
        place = {name: at for at, name in enumerate(log)}
        assert all(place[name[:-1]] < at for name, at in place.items() if name[:-1] in place)


@pytest.mark.parametrize("seed", range(4))
def test_batches(seed: int) -> None:
    """Batches of several threads: on every cown the members of one batch lie next to each other."""
    start(1 + seed % 3)
    cowns = [Cown(Shared()) for _ in range(COWNS)]

    def thread(number: int) -> None:
        chance = random.Random(1000 * seed + number)
        for turn in range(30):
            with batch():
                for member in range(chance.randint(1, 4)):
                    writes, reads = pick(chance)
                    schedule(cowns, writes, reads, (number, turn, member), chance.random() < 0.3)

    run_threads(*[lambda number=number: thread(number) for number in range(3)])
    quiesce()
    for cown in cowns:
        log = cown.result().log
        seen: list[tuple[int, int]] = []
        for number, turn, _ in log:
            if not seen or seen[-1] != (number, turn):
                seen.append((number, turn))
        assert len(seen) == len(set(seen)), "a batch was torn apart"
        for number in range(3):
            mine = [name for name in log if name[0] == number]
            assert mine == sorted(mine)


@pytest.mark.parametrize("seed", range(3))
def test_requests_that_give_up(seed: int) -> None:
    """Holds and results with tiny timeouts, between behaviors: no turn is lost and none is taken twice."""
    start(2)
    cowns = [Cown(0) for _ in range(4)]
    ran = Cown(0)

    def move(a, b):
        a.value += 1
        b.value -= 1

    def thread(number: int) -> None:
        chance = random.Random(10 * seed + number)
        for _ in range(80):
            chosen = chance.sample(cowns, 2)
            with contextlib.suppress(TimeoutError), hold(*chosen, timeout=chance.choice([0, 0.0001, 0.001])) as held:
                move(*held)
            whencall(lambda a, b, ran: (move(a, b), setattr(ran, "value", ran.value + 1)), [*chosen, ran], [])
            with contextlib.suppress(TimeoutError):
                chosen[0].result(timeout=chance.choice([0, 0.0001]))

    run_threads(*[lambda number=number: thread(number) for number in range(3)])
    quiesce(timeout=20)
    assert sum(cown.result() for cown in cowns) == 0
    assert ran.result() == 240


@pytest.mark.parametrize("seed", range(3))
def test_scopes_that_are_cancelled(seed: int) -> None:
    """Whatever moment the cancellation hits: each behavior ran or holds a CancelledError, and every cown is free."""
    start(2)
    cowns = [Cown(0) for _ in range(4)]

    def count(a, b):
        a.value += 1

    def thread(number: int) -> int:
        chance = random.Random(10 * seed + number)
        ran = 0
        for turn in range(60):
            results = []
            with contextlib.suppress(KeyError), scope() as s:
                results = [s.when(*chance.sample(cowns, 2))(count) for _ in range(5)]
                if turn % 2:
                    raise KeyError
                s.cancel()
            for result in results:
                with contextlib.suppress(CancelledError):
                    # Not 0: those dropped behind a cown of another thread's behavior wait there for their turn.
                    assert result.result(timeout=10) is None
                    ran += 1
        return ran

    ran = run_threads(*[lambda number=number: thread(number) for number in range(3)])
    assert sum(cown.result() for cown in cowns) == sum(ran)
