"""Every kind of value goes into a cown and comes out again."""

from __future__ import annotations

import collections
import decimal
import enum
import fractions
import gc
import pathlib
import uuid
from dataclasses import dataclass, field

import pytest
from bocpy import Cown, TransferError, quiesce, when


class Color(enum.Enum):
    RED = 1


Point = collections.namedtuple("Point", "x y")


@dataclass
class Account:
    owner: str
    balance: int = 0
    history: list[int] = field(default_factory=list)


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left: int, right: int) -> None:
        self.left, self.right = left, right

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slotted) and (self.left, self.right) == (other.left, other.right)

    __hash__ = None  # type: ignore[assignment]


class Words(list):  # type: ignore[type-arg]
    """A subclass of a builtin container that carries an attribute."""


VALUES = [
    None,
    True,
    0,
    -1,
    2**62,
    2**63,
    -(10**40),
    1.5,
    float("-inf"),
    2 - 3j,
    "",
    "short",
    "ünï 𝄞 \x00",
    "\ud800",
    "long " * 1000,
    b"",
    b"\x00\xff" * 500,
    bytearray(b"abc"),
    (),
    (1, ("two", (3.0, None))),
    [],
    [1, [2, [3]]],
    {"a": [1], 2: {"b": ()}},
    {1, 2},
    frozenset({"x"}),
    range(2, 9, 3),
    Color.RED,
    Point(1, 2),
    Account("ann", 3, [1, 2]),
    Slotted(1, 2),
    Words("ab"),
    collections.OrderedDict(b=1, a=2),
    collections.deque([1, 2], maxlen=3),
    collections.Counter("aab"),
    decimal.Decimal("1.10"),
    fractions.Fraction(1, 3),
    pathlib.PurePosixPath("/a/b"),
    uuid.UUID(int=5),
    int,
    Account,
    len,
    NotImplemented,
    ...,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}-{str(value)[:12]!a}")
def test_every_kind_of_value_goes_in_and_comes_out(value: object) -> None:
    cown = Cown(value)

    @when(cown)
    def seen(cown, expected=value):
        return type(cown.value) is type(expected), cown.value == expected

    assert seen.result() == (True, True)
    assert type(cown.result()) is type(value)
    assert cown.result() == value


def test_a_nan_stays_a_nan() -> None:
    nan = Cown(float("nan")).result()
    assert type(nan) is float and nan != nan


def test_a_list_that_contains_itself() -> None:
    loop: list[object] = [1]
    loop.append(loop)
    cown = Cown(loop)

    @when(cown)
    def depth(cown):
        return cown.value[1][1][1] is cown.value

    assert depth.result() is True


def test_aliases_inside_one_value_survive() -> None:
    shared = [1]
    cown = Cown({"a": shared, "b": shared})

    @when(cown)
    def alias(cown):
        cown.value["a"].append(2)
        return cown.value["b"]

    assert alias.result() == [1, 2]


# cowns in cowns ------------------------------------------------------------------------------------------------------


def test_a_cown_in_a_cown() -> None:
    inner = Cown(5)
    outer = Cown(inner)

    @when(outer)
    def unpack(outer):
        inner_there = outer.value

        @when(inner_there)
        def change(inner):
            inner.value += 1

        return isinstance(inner_there, Cown), inner_there == inner

    assert unpack.result() == (True, True)
    quiesce()
    assert inner.result() == 6
    assert outer.result() == inner


def test_cowns_inside_containers_and_objects() -> None:
    leaf = Cown("leaf")
    tree = Cown({"list": [leaf], "tuple": (leaf,), "object": Account("a", 0, [leaf]), "slots": Slotted(leaf, leaf)})

    @when(tree)
    def find(tree):
        found = tree.value
        return [found["list"][0], found["tuple"][0], found["object"].history[0], found["slots"].right]

    assert find.result() == [leaf] * 4


def test_a_behavior_may_return_a_cown() -> None:
    cown = Cown(7)

    @when()
    def give():
        return cown

    @when()
    def made_there():
        return Cown("fresh")

    assert give.result() == cown
    assert made_there.result().result() == "fresh"


def test_a_cown_keeps_the_only_handle_of_another_alive() -> None:
    outer = Cown([Cown(i) for i in range(5)])

    @when(outer)
    def first(outer):
        return outer.value[3]

    assert first.result().result() == 3


# values that are hard to handle --------------------------------------------------------------------------------------


class Scheduling:
    """When the last reference to it goes, it schedules a behavior."""

    def __init__(self, log: Cown) -> None:
        self.log = log

    def __del__(self) -> None:
        when(self.log)(lambda log: log.value.append("gone"))


class Owner:
    """A value that refers to its own cown and tells when it goes."""

    def __init__(self, told: list[str]) -> None:
        self.told = told
        self.cown: Cown | None = None

    def __del__(self) -> None:
        self.told.append("gone")


def test_destructors_may_schedule() -> None:
    log = Cown([])
    holder = Cown(Scheduling(log))

    @when(holder)
    def drop(holder):
        holder.value = None

    drop.result()
    Cown(Scheduling(log))
    gc.collect()
    quiesce()
    assert log.result() == ["gone", "gone"]


@pytest.mark.backend("threads", reason="elsewhere the value would have to be carried with its list")
def test_a_value_that_refers_to_its_own_cown_is_collected() -> None:
    told: list[str] = []
    for _ in range(10):
        value = Owner(told)
        value.cown = Cown(value)
        del value
    gc.collect()
    assert told == ["gone"] * 10


def test_cowns_nested_very_deeply() -> None:
    cown = None
    for _ in range(100_000):
        cown = Cown([cown])
    assert type(cown.result()[0]) is Cown
    del cown
    gc.collect()


def test_a_value_nested_too_deeply_to_copy() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TransferError, match="deep") as error:
        when()(lambda: len(deep))
    assert isinstance(error.value, TypeError)
    assert when()(lambda: "alive").result() == "alive"


@pytest.mark.backend("threads", reason="elsewhere such a value does not get out of the interpreter that made it")
def test_a_value_that_cannot_be_copied() -> None:
    @when()
    def generator():
        return (x * x for x in range(3))

    with pytest.raises(TransferError, match="generator"):
        generator.result()

    @when(generator)
    def use(generator):
        return list(generator.value)

    assert use.result() == [0, 1, 4]
