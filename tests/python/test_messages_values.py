"""What messages carry: values keep their types, are copies, or are refused."""

from __future__ import annotations

import collections
import math
import threading
from typing import Any

import pytest
from boc_testing import SHORT, caught
from bocpy import (
    TIMEOUT,
    Cown,
    Matrix,
    TransferError,
    drain,
    receive,
    send,
    when,
)

pytestmark = pytest.mark.usefixtures("no_messages")


class Point:
    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and other.x == self.x

    __hash__ = None  # type: ignore[assignment]


class Unpicklable:
    def __reduce__(self) -> Any:
        raise ValueError("no way")


def make_bad() -> object:
    raise ValueError("cannot be made again")


class BadToLoad:
    def __reduce__(self) -> Any:
        return make_bad, ()


def none_left(*tags: str) -> bool:
    return receive(list(tags), 0) == (TIMEOUT, None)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1,
        2**100,
        1.5,
        "text",
        "ü" * 1000,
        b"bytes",
        bytes(10_000),
        bytearray(b"x" * 10_000),
        [1, [2, (3, {4: {5}})]],
        (1, 2),
        range(7),
        frozenset([1]),
        collections.OrderedDict(a=1),
        Point(3),
        ValueError("an error"),
        int,
        math,
    ],
    ids=repr,
)
def test_values_keep_their_type(value: Any) -> None:
    send("v", value)
    received = receive("v")[1]
    assert type(received) is type(value)
    assert repr(received) == repr(value) if isinstance(value, Exception) else received == value


def test_values_are_copies() -> None:
    value = [[1], [2]]
    value.append(value[0])
    send("v", value)
    value[0].append("changed afterwards")
    received = receive("v")[1]
    assert received == [[1], [2], [1]]
    assert received[0] is received[2]
    matrix = Matrix(2, 2, 1.0)
    send("v", [matrix])
    matrix.x = 5
    assert receive("v")[1][0].sum() == 4
    assert matrix.sum() == 8


def test_cowns_are_themselves() -> None:
    cown = Cown([1])
    send("v", {"cown": cown})
    received = receive("v")[1]["cown"]
    assert received == cown

    @when(received)
    def appends(c):
        c.value.append(2)

    assert cown.result() == [1, 2]


@pytest.mark.parametrize("value", [threading.Lock(), [Unpicklable()], (x for x in "")], ids=["lock", "raises", "gen"])
def test_what_cannot_be_sent(value: Any) -> None:
    send("v", "before")
    with pytest.raises(TransferError, match="cannot be copied"):
        send("v", value)
    assert receive("v") == ("v", "before")
    assert none_left("v")


@pytest.mark.backend("subinterp", reason="values are decoded where they are received; on threads they are at send")
def test_what_cannot_be_made_again_is_in_nobodys_way() -> None:
    send("v", BadToLoad())
    send("v", "behind it")
    with pytest.raises(TransferError, match="cannot be made again"):
        receive("v")
    assert receive("v") == ("v", "behind it")


@pytest.mark.backend("threads", reason="on sub-interpreters the value is decoded where it is received")
def test_what_cannot_be_made_again_is_not_sent() -> None:
    with pytest.raises(TransferError, match="cannot be made again"):
        send("v", BadToLoad())
    assert none_left("v")


class Sender:
    """Uses messages while it is carried, and becomes what came of waiting for one."""

    def __reduce__(self) -> Any:
        send("inner", 1)
        return str, (repr(receive("inner", 0)) + caught(receive, "nothing", SHORT)[0],)


def test_messages_while_a_value_is_sent() -> None:
    send("outer", Sender())
    assert receive("outer") == ("outer", "('inner', 1)")


def test_messages_while_a_value_is_fetched() -> None:
    """Whoever holds the cown would wait for this wait."""
    c: Cown[Any] = Cown(None)

    @when(c)
    def fill(c):
        c.value = Sender()

    fill.result()
    assert c.result() == "('inner', 1)RuntimeError"


class Resends:
    """Sends another message when it goes."""

    def __del__(self) -> None:
        send("from the destructor", "gone")


@pytest.mark.backend("threads", reason="an encoded value has no destructor")
def test_destructors_of_what_is_dropped() -> None:
    send("t", Resends())
    while receive("from the destructor", 0)[0] is not TIMEOUT:
        pass  # of the original, and of what pickle had of it
    drain("t")
    assert receive("from the destructor", 0) == ("from the destructor", "gone")
