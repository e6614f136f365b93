"""Payloads under load: random programs with two to eight workers over values of every kind.

Whatever moves where, nothing is lost, nothing is done twice, and everything ends. Hostile values:
test_payload_hostile.py.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from boc_testing import DEADLINE, Gate, run_threads
from bocpy import Cown, Matrix, batch, hold, quiesce, read, scope, start, wait, when, whencall
from payload_testing import anchors, beside

WORKERS = pytest.mark.parametrize("workers", [2, 4, 8])


@dataclass
class Account:
    balance: int
    notes: list[int] = field(default_factory=list)


class Words(list):
    pass


# Each kind of value holds a number that can be read and changed in place.
KINDS: dict[str, Any] = {
    "int": lambda n: n,
    "list": lambda n: [n],
    "long list": lambda n: [n, *range(2000)],
    "dict": lambda n: {"n": n, "more": {"x": [1]}},
    "bytes": lambda n: n.to_bytes(8, "little", signed=True) + bytes(3000),
    "bytearray": lambda n: bytearray(n.to_bytes(8, "little", signed=True) + bytes(50_000)),
    "object": Account,
    "subclass": lambda n: Words([n]),
    "matrix": lambda n: Matrix(1, 2000, n),
    "array": lambda n: __import__("array").array("q", [n, 0, 0]),
}


def number_in(value: Any) -> int:
    if isinstance(value, (bytes, bytearray)):
        return int.from_bytes(value[:8], "little", signed=True)
    if isinstance(value, dict):
        return value["n"]
    if isinstance(value, Account):
        return value.balance
    if isinstance(value, Matrix):
        return int(value.x)
    return value if isinstance(value, int) else value[0]


def change(cown: Any, by: int) -> None:
    """In place where that is possible."""
    value, n = cown.value, number_in(cown.value) + by
    if isinstance(value, bytes):
        cown.value = n.to_bytes(8, "little", signed=True) + value[8:]
    elif isinstance(value, bytearray):
        value[:8] = n.to_bytes(8, "little", signed=True)
    elif isinstance(value, dict):
        value["n"] = n
    elif isinstance(value, Account):
        value.balance = n
        value.notes.append(by)
    elif isinstance(value, Matrix):
        value.x = n
    elif isinstance(value, int):
        cown.value = n
    else:
        value[0] = n


def transfer(source, target, amount):
    change(source, -amount)
    change(target, amount)


def total_of(group) -> int:
    return sum(number_in(cown.value) for cown in group)


def new_kind(cown, kind):
    """Another value with the same number."""
    cown.value = KINDS[kind](number_in(cown.value))


def run_randomly(cowns, seed: int, steps: int) -> None:
    """Moves between random cowns, by behaviors, by main, alone and in batches; sums on the way are right."""
    chance = random.Random(seed)
    expected = None
    for step in range(steps):
        a, b = chance.sample(cowns, 2)
        way = chance.random()
        if way < 0.6:
            whencall(transfer, [a, b], [chance.randint(1, 9)])
        elif way < 0.75:
            whencall(new_kind, [a], [chance.choice(list(KINDS))])
        elif way < 0.85:
            whencall(total_of, [read(cowns[:4])], [])
        elif way < 0.9:
            with batch():
                for _ in range(3):
                    whencall(transfer, chance.sample(cowns, 2), [1])
        elif way < 0.95:
            with hold(a, b) as held:
                transfer(*held, 1)
        elif step % 10 == 0:
            seen = whencall(total_of, [read(cowns)], [])
            expected = expected or seen
            assert expected.result() == seen.result()
        else:
            number_in(a.result())


@WORKERS
@pytest.mark.parametrize("seed", range(3))
def test_totals_are_conserved(workers: int, seed: int) -> None:
    start(workers)
    cowns = [Cown(KINDS[kind](100)) for kind in KINDS]
    run_randomly(cowns, seed, 300)
    wait(timeout=DEADLINE)
    assert total_of(cowns) == 100 * len(cowns)


@WORKERS
def test_several_threads_and_restarts(workers: int) -> None:
    cowns = [Cown(KINDS[kind](0)) for kind in KINDS for _ in range(2)]
    for first in (0, 10, 20):
        start(1 + (workers + first) % 8)
        run_threads(*[lambda seed=first + n: run_randomly(cowns, seed, 100) for n in range(3)])
        wait(timeout=DEADLINE)
        assert total_of(cowns) == 0


@WORKERS
def test_with_values_that_cannot_move(workers: int, gate: Gate) -> None:
    """Among the others are values that stay where they are: behaviors with one of them go there."""
    start(workers)
    places = anchors(gate, workers)
    cowns = [Cown(KINDS[kind](10)) for kind in KINDS]
    chance = random.Random(workers)

    def move(a, b):
        transfer(a, b, 1)

    for _ in range(300):
        if chance.random() < 0.3:
            beside(chance.choice(places), *chance.sample(cowns, 2))(move)
        else:
            when(*chance.sample(cowns, 2))(move)
    quiesce(timeout=DEADLINE)
    assert sum(number_in(cown.result()) for cown in cowns) == 10 * len(cowns)


def test_trees_of_behaviors(two_workers: None) -> None:
    cowns = [Cown([0]) for _ in range(8)]

    def grow(a, b, depth, n):
        a.value[0] += 1
        b.value.append(n)
        for child in range(2 if depth else 0):
            i = (n * 2 + child) % 8
            whencall(grow, [cowns[i], cowns[(i + 3) % 8]], [depth - 1, n * 2 + child])

    with scope():
        whencall(grow, [cowns[0], cowns[1]], [9, 1])
    values = [cown.result() for cown in cowns]
    assert sum(value[0] for value in values) == 1023 == sum(len(value) - 1 for value in values)


def test_neighbors_read_one_another() -> None:
    """Readers in several interpreters ask for one value at the same moment, and keep on asking.

    Cowns in a ring: each is read by those around it, and what they make of it is read by all of these again.
    """
    start(8)
    size, rounds, reach = 12, 300, range(-4, 5)
    ring = [Cown({"n": Matrix(1, 5, n), "more": Matrix(3, 5, n)}) for n in range(size)]
    near = [[(n + d) % size for d in reach] for n in range(size)]

    def look(around):
        for _ in range(8000):
            pass
        total = sum(cown.value["n"].x for cown in around) % 1009
        return {"n": Matrix(1, 5, total), "more": Matrix(3, 5, total)}

    def step(cown, around):
        total = sum(looked.value["n"].x for looked in around) % 1009
        cown.value = {"n": Matrix(1, 5, total), "more": Matrix(3, 5, total)}

    for _ in range(rounds):
        looked = [when(read([ring[m] for m in near[n]]))(look) for n in range(size)]
        for n in range(size):
            when(ring[n], read([looked[m] for m in near[n]]))(step)

    values = list(range(size))
    for _ in range(rounds):
        sums = [sum(values[m] for m in near[n]) % 1009 for n in range(size)]
        values = [sum(sums[m] for m in near[n]) % 1009 for n in range(size)]
    assert [cown.result(DEADLINE)["n"].x for cown in ring] == values
