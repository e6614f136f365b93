"""Every kind of value goes into a cown and comes out again."""

from __future__ import annotations

import collections
import decimal
import enum
import fractions
import pathlib
import uuid
from dataclasses import dataclass, field

import pytest
from bocpy import Cown, quiesce, when


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
