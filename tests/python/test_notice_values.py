"""Values on the noticeboard: copies, cowns inside, what cannot be copied, and what is decoded when."""

from __future__ import annotations

import array
import gc
import os
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from boc_testing import SHORT, run_threads
from bocpy import (
    Cown,
    TransferError,
    notice_delete,
    notice_read,
    notice_update,
    notice_write,
    noticeboard,
    quiesce,
    start,
    wait,
    when,
)
from payload_testing import MOVING, Loud, anchors, beside, heard


@dataclass
class Record:
    name: str
    items: list[int] = field(default_factory=list)


class Slotted:
    __slots__ = ("cown", "other")

    def __init__(self, cown: Any) -> None:
        self.cown, self.other = cown, 1


class Failure(Exception):
    def __init__(self, code: int, *, text: str) -> None:
        super().__init__(text)
        self.code = code


def function_of_the_module(n: int) -> int:
    return n + 1


shared: list[Any] = [1]
VALUES: dict[str, Any] = {
    "None": None,
    "True": True,
    "int": 12345678901234567890123,
    "small int": -7,
    "float": 1.5,
    "str": "text",
    "long str": "täxt" * 100,
    "bytes": b"bytes",
    "long bytes": bytes(5000),
    "tuple": (1, "a", (None,)),
    "containers": {"list": [1, [2]], "set": {1}, "frozen": frozenset({2}), "bytes": bytearray(b"x")},
    "array": array.array("d", [1.0, 2.0]),
    "record": Record("name", [1]),
    "large": [Record(str(i), [i] * 100) for i in range(300)],
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_values_come_back(value) -> None:
    notice_write("k", value)
    assert notice_read("k") == value and type(notice_read("k")) is type(value)

    @when()
    def reads():
        notice_update("back", lambda _: notice_read("k"))
        return notice_read("k")

    assert reads.result() == value
    assert quiesce(noticeboard=True) == wait(noticeboard=True) == {"k": value, "back": value}


def test_aliases_and_cycles_survive() -> None:
    cycle: list[Any] = [shared, shared]
    cycle.append(cycle)
    notice_write("k", cycle)

    @when()
    def reads():
        value = notice_read("k")
        return value[0] is value[1] is not shared and value[2] is value

    assert reads.result()
    value = notice_read("k")
    assert value[0] is value[1] is not shared and value[2] is value


def test_functions_classes_and_exceptions() -> None:
    by = 2
    notice_write("closure", lambda n: n * by)
    notice_write("function", function_of_the_module)
    notice_write("class", Record)
    notice_write("error", Failure(3, text="said"))

    @when()
    def reads():
        board = noticeboard()
        error = board["error"]
        made = board["class"]("made")
        return board["closure"](21), board["function"](1), made, (type(error) is Failure, error.code, error.args)

    assert reads.result() == (42, 2, Record("made"), (True, 3, ("said",)))
    assert notice_read("class") is Record and notice_read("error").code == 3
    with pytest.raises(Failure, match="said"):
        raise notice_read("error")


def test_values_are_copies() -> None:
    value = Record("name", [1])
    notice_write("k", value)
    value.items.append(2)
    assert notice_read("k") == Record("name", [1])
    notice_read("k").items.append(3)

    def changes():
        notice_read("k").items.append(4)
        return notice_read("k").items

    assert [when()(changes).result() for _ in range(3)] == [[1, 4]] * 3
    assert notice_read("k") == Record("name", [1])


def test_the_value_of_a_held_cown() -> None:
    cown = Cown([1])

    @when(cown)
    def writes(cown):
        notice_write("k", cown.value)
        cown.value.append(2)

    writes.result()
    assert notice_read("k") == [1] and cown.result() == [1, 2]


def test_huge_values() -> None:
    data = os.urandom(1 << 20) * 16
    notice_write("bytes", data)
    notice_write("bytearray", bytearray(data))

    @when()
    def reads():
        board = noticeboard()
        assert board["bytes"] == bytes(board["bytearray"])
        board["bytearray"].clear()
        return len(board["bytes"])

    assert reads.result() == len(data)
    assert notice_read("bytes") == data == notice_read("bytearray")


# Cowns inside ---------------------------------------------------------------------------------------------------------

HOLDERS: dict[str, tuple[Any, Any]] = {
    "itself": (lambda cown: cown, lambda value: value),
    "list": (lambda cown: [cown], lambda value: value[0]),
    "nested": (lambda cown: {"a": ({"b": [cown]},)}, lambda value: value["a"][0]["b"][0]),
    "record": (lambda cown: Record("name", [cown]), lambda value: value.items[0]),
    "slots": (Slotted, lambda value: value.cown),
    "closure": (lambda cown: lambda: cown, lambda value: value()),
}


@pytest.mark.parametrize(("put", "get"), HOLDERS.values(), ids=HOLDERS.keys())
def test_cowns_inside_stay_alive(put, get) -> None:
    notice_write("k", put(Cown(["alive"])))
    for _ in range(3):
        gc.collect()

        @when()
        def finds():
            cown = get(notice_read("k"))

            @when(cown)
            def uses(cown):
                cown.value.append("used")

        finds.result()
        quiesce()
    assert get(notice_read("k")).result() == ["alive"] + ["used"] * 3
    assert get(notice_read("k")) == get(notice_read("k"))


@pytest.mark.parametrize("how", ["delete", "overwrite", "update", "wait", "snapshot"])
def test_cowns_go_with_the_notice(how, pipe) -> None:
    reading, writing = pipe
    start(1)

    @when()
    def writes():
        notice_write("k", [Cown(Loud(writing))])

    writes.result()
    kept = noticeboard() if how == "snapshot" else None
    assert heard(reading, timeout=SHORT) == 0
    if how == "overwrite":
        notice_write("k", 1)
    elif how == "update":
        notice_update("k", lambda value: None)
    elif how == "wait":
        wait()
    else:
        notice_delete("k")
    if kept is not None:
        assert heard(reading, timeout=SHORT) == 0 and len(kept["k"]) == 1
        kept = None
    # Free-threaded builds leave what another thread has made to that one, which sleeps.
    for _ in range(200):
        when()(lambda: sum(range(1000))).result()
        if heard(reading, timeout=SHORT):
            break
    else:
        pytest.fail("the cown is still there")


def test_results_on_the_noticeboard() -> None:
    @when()
    def fails():
        raise ValueError("looked at")

    notice_write("result", fails)

    @when()
    def looks():
        @when(notice_read("result"))
        def inner(result):
            return type(result.value).__name__

        return inner

    assert looks.result().result() == "ValueError"


def test_failures_on_the_noticeboard_are_reported_once(unraisable) -> None:
    @when()
    def fails():
        raise ValueError("nobody looked")

    notice_write("result", fails)
    del fails
    quiesce()
    notice_delete("result")
    wait()
    assert len(unraisable) == 1 and "nobody looked" in unraisable[0]


# What cannot be copied ------------------------------------------------------------------------------------------------


def test_what_cannot_be_copied() -> None:
    notice_write("k", "old")
    for value in (threading.Lock(), [1, threading.Lock()], (i for i in ())):
        with pytest.raises(TransferError, match="cannot be copied: TypeError: cannot pickle"):
            notice_write("k", value)
        with pytest.raises(TransferError):
            notice_write("new", value)
    assert noticeboard() == {"k": "old"}

    @when()
    def inside():
        notice_write("k", threading.Lock())

    with pytest.raises(TransferError):
        inside.result()
    assert noticeboard() == {"k": "old"}


class Refuses:
    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error("no copy")


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ValueError, TransferError), (KeyboardInterrupt, KeyboardInterrupt), (MemoryError, MemoryError)],
)
def test_errors_while_copying(error, raised) -> None:
    notice_write("k", 1)
    with pytest.raises(raised):
        notice_write("k", [Refuses(error)])
    with pytest.raises(raised):
        notice_update("k", lambda value: Refuses(error))
    assert noticeboard() == {"k": 1}


def fail_to_build() -> Any:
    raise ValueError("cannot be built")


class Broken:
    def __reduce__(self) -> Any:
        return fail_to_build, ()


@pytest.mark.backend("threads", reason="a copy is made at once")
def test_what_cannot_be_made_again_is_refused_at_once() -> None:
    with pytest.raises(TransferError, match="cannot be built"):
        notice_write("k", Broken())
    assert noticeboard() == {}


@pytest.mark.backend("subinterp", reason="a copy is made by each reader")
def test_what_cannot_be_made_again() -> None:
    notice_write("before", 1)
    notice_write("k", Broken())
    notice_write("after", 2)
    for read in (lambda: notice_read("k"), lambda: noticeboard()["k"], lambda: dict(noticeboard())):
        with pytest.raises(TransferError, match=r"cannot be built.*see to its __reduce__"):
            read()
    with pytest.raises(TransferError):
        notice_update("k", lambda value: 1)
    with pytest.raises(TransferError):
        quiesce(noticeboard=True)
    with pytest.raises(TransferError):
        wait(noticeboard=True)
    # Nothing is lost by that, and the other keys are as good as before.
    assert list(noticeboard()) == ["before", "k", "after"] and notice_read("after") == 2
    assert when()(lambda: noticeboard().get("after")).result() == 2
    notice_delete("k")
    assert wait(noticeboard=True) == {"before": 1, "after": 2}


# What is decoded when -------------------------------------------------------------------------------------------------


class Told:
    """Tells a pipe when it is made again."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe

    def __getstate__(self) -> dict[str, int]:
        return {"pipe": self.pipe}

    def __setstate__(self, state: dict[str, int]) -> None:
        self.pipe = state["pipe"]
        os.write(self.pipe, b"x")


def test_a_read_decodes_what_it_touches(pipe) -> None:
    reading, writing = pipe
    for i in range(20):
        notice_write(f"k{i}", [Told(writing)])
    heard(reading, 100, timeout=0)  # on threads the copies for the noticeboard are made now

    @when()
    def reads():
        board = noticeboard()
        assert len(board) == 20 and "k3" in board and list(board)[3] == "k3" and board.keys() >= {"k1"}
        first = board["k3"], notice_read("k3"), board.get("k3"), notice_read("none"), board["k3"]
        assert first[0] is first[1] is first[2]
        return None

    reads.result()
    assert heard(reading, 100, timeout=0) == 1
    board = noticeboard()
    assert len(board) == 20 and heard(reading, 100, timeout=0) == 0
    assert board["k1"] and board["k2"] and board["k1"] and heard(reading, 100, timeout=0) == 2
    assert notice_read("k5") and heard(reading, 100, timeout=0) == 1


class Reenters:
    """Uses the noticeboard when it is made again."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __getstate__(self) -> int:
        return self.n

    def __setstate__(self, n: int) -> None:
        self.n = n
        notice_write("seen", notice_read("other"))
        notice_update("times", lambda times: times + 1, 0)
        notice_delete("gone")
        assert len(noticeboard()) > 0


def test_values_that_use_the_noticeboard_when_they_are_made() -> None:
    notice_write("other", "there")
    notice_write("gone", 1)
    notice_write("k", Reenters(1))

    def reads():
        board = noticeboard()
        return notice_read("k").n + board["k"].n

    assert reads() == when()(reads).result() == 2
    assert notice_read("seen") == "there" and notice_read("times") >= 2 and notice_read("gone") is None
    notice_update("k", lambda value: Reenters(value.n + 1))
    assert notice_read("k").n == 2
    run_threads(*[reads] * 3)


class Moved:
    """Uses the noticeboard when it is carried to another interpreter."""

    def __reduce__(self) -> Any:
        notice_write("seen", (notice_read("k"), noticeboard()["k"]))
        notice_update("times", lambda times: times + 1, 0)
        return list, ("came",)


def test_values_that_use_the_noticeboard_when_they_are_fetched(gate, two_workers) -> None:
    """Perhaps by the thread that needs them, on behalf of a behavior that has a view of its own."""
    first, second = anchors(gate)
    cown: Cown[Any] = Cown(None)
    notice_write("k", [1])

    @beside(first, cown)
    def fill(cown):
        cown.value = [Moved()]

    @beside(second, cown)
    def fetches(cown):
        seen = notice_read("k")
        came = cown.value[0]
        return seen, notice_read("k") is seen, type(came).__name__

    fill.result()
    assert fetches.result() == ([1], True, "list" if MOVING else "Moved")
    if MOVING:
        assert notice_read("seen") == ([1], [1]) and notice_read("times") == 1


def test_a_snapshot_read_by_several_threads() -> None:
    for i in range(50):
        notice_write(f"k{i}", [i])
    board = noticeboard()

    def reads():
        return [id(board[f"k{i}"]) for i in range(50)]

    first, *others = run_threads(*[reads] * 4)
    assert all(other == first for other in others)
