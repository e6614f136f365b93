"""The noticeboard: keys, the mapping, what a behavior sees of it, and when it is emptied. Values: see
test_notice_values.py; notice_update: test_notice_update.py."""

from __future__ import annotations

import inspect
import threading
import types
from collections.abc import Mapping
from typing import Any

import bocpy
import pytest
from boc_testing import caught, run_threads
from bocpy import (
    Cown,
    WaitResult,
    batch,
    notice_delete,
    notice_read,
    notice_seed,
    notice_update,
    notice_write,
    noticeboard,
    quiesce,
    start,
    wait,
    when,
    whencall,
)

BAD_KEYS = [
    (1, TypeError, "noticeboard key must be a str, not int"),
    (None, TypeError, "noticeboard key must be a str, not NoneType"),
    (b"key", TypeError, "noticeboard key must be a str, not bytes"),
    ("a\0b", ValueError, "noticeboard key must not contain NUL characters"),
    ("k" * 64, ValueError, "noticeboard key must be at most 63 bytes long in UTF-8, not 64"),
    ("ä" * 32, ValueError, "noticeboard key must be at most 63 bytes long in UTF-8, not 64"),
    ("\ud800", UnicodeEncodeError, "surrogates not allowed"),
]
CALLS = {
    "write": lambda key: notice_write(key, 1),
    "seed": lambda key: notice_seed(key, 1),
    "update": lambda key: notice_update(key, lambda value: 1),
    "delete": notice_delete,
    "read": notice_read,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize(("key", "error", "text"), BAD_KEYS)
def test_bad_keys(call, key, error, text) -> None:
    with pytest.raises(error, match=text):
        call(key)
    assert noticeboard() == {}


@pytest.mark.parametrize("key", ["", "k", "k" * 63, "ä" * 31, "a.b/c d", "\U0001f9c0", "\x01"])
def test_keys(key) -> None:
    notice_write(key, "there")
    assert notice_read(key) == "there"
    assert list(noticeboard()) == [key]
    notice_delete(key)
    assert notice_read(key) is None


def test_keys_of_a_subclass_count_by_their_text() -> None:
    class Odd(str):
        def __hash__(self) -> int:
            return 7

        def __eq__(self, other: object) -> bool:
            return False

    notice_write(Odd("key"), [1])
    assert notice_read("key") == notice_read(Odd("key")) == [1]
    assert noticeboard()[Odd("key")] == [1] and Odd("key") in noticeboard()
    assert [type(key) for key in noticeboard()] == [str]


def test_parameters() -> None:
    assert str(inspect.signature(notice_write)) == str(inspect.signature(notice_seed)) == "(key, value)"
    assert str(inspect.signature(notice_update)) == "(key, fn, default=None)"
    assert str(inspect.signature(notice_read)) == "(key, default=None)"
    assert str(inspect.signature(notice_delete)) == "(key)"
    assert str(inspect.signature(noticeboard)) == "()"
    notice_write(key="a", value=1)
    notice_seed(value=2, key="b")
    notice_update(default=3, fn=lambda value: value, key="c")
    assert noticeboard() == {"a": 1, "b": 2, "c": 3}
    assert notice_read(key="d", default=4) == 4
    notice_delete(key="a")
    assert list(noticeboard()) == ["b", "c"]
    wrong: list[tuple[Any, tuple[Any, ...], dict[str, Any], str]] = [
        (notice_write, ("k",), {}, "notice_write(key, value): missing argument 'value'"),
        (notice_write, ("k", 1, 2), {}, "notice_write(key, value) takes at most 2 arguments, 3 given"),
        (notice_read, (), {}, "notice_read(key, default=None): missing argument 'key'"),
        (notice_delete, ("k",), {"key": "k"}, "notice_delete(key): unexpected or repeated argument 'key'"),
        (notice_update, ("k", len), {"other": 1}, "unexpected or repeated argument 'other'"),
    ]
    for function, args, named, text in wrong:
        kind, said = caught(function, *args, **named)
        assert kind == "TypeError" and text in said


def test_without_a_runtime() -> None:
    assert noticeboard() == {} and notice_read("k", "nothing") == "nothing"
    notice_delete("k")
    notice_write("k", None)
    assert notice_read("k", "nothing") is None
    assert wait(noticeboard=True) == {"k": None}
    assert noticeboard() == {}


def test_the_mapping() -> None:
    notice_write("list", [1])
    notice_write("number", 2)
    board = noticeboard()
    assert type(board) is types.MappingProxyType and isinstance(board, Mapping)
    assert len(board) == 2 and bool(board)
    assert list(board) == list(board.keys()) == ["list", "number"]
    assert list(reversed(board)) == ["number", "list"]
    assert list(board.values()) == [[1], 2] and list(board.items()) == [("list", [1]), ("number", 2)]
    assert board.keys() & {"list", "other"} == {"list"}
    assert board["list"] == [1] and board["list"] is board["list"] is board.get("list")
    assert board.get("other") is None and board.get("other", 3) == 3
    assert "list" in board and "other" not in board
    assert board == {"list": [1], "number": 2} == board.copy() == dict(board) == {**board}
    assert board == noticeboard() and board != {"list": [1]} and board != 3
    assert type(board.copy()) is dict
    assert board | {"z": 0} == {"list": [1], "number": 2, "z": 0} and list({"z": 0} | board) == ["z", "list", "number"]
    assert board | board == board
    assert repr(board) == "mappingproxy({'list': [1], 'number': 2})"
    for key in ("other", 1, None, [], "x" * 100, "\ud800"):
        with pytest.raises(KeyError):
            board[key]
        assert key not in board
    with pytest.raises(TypeError):
        board["list"] = 1  # type: ignore[index]
    with pytest.raises(TypeError):
        hash(board)
    with pytest.raises(TypeError):
        _ = board < board  # type: ignore[operator]


def test_keys_stand_in_the_order_of_their_first_write() -> None:
    for key in "dacb":
        notice_write(key, 0)
    notice_write("d", 1)
    notice_update("a", lambda value: 1)
    assert "".join(noticeboard()) == "dacb"
    notice_delete("a")
    notice_write("a", 1)
    assert "".join(noticeboard()) == "dcba"
    assert list(quiesce(noticeboard=True)) == list(wait(noticeboard=True)) == ["d", "c", "b", "a"]


def test_a_behavior_sees_one_moment() -> None:
    notice_write("k", 1)
    board = Cown[Any](None)

    @when(board)
    def looks(board):
        first = notice_read("k")
        notice_write("k", 2)
        notice_write("new", 2)
        notice_update("k", lambda value: value + 1)
        notice_delete("other")
        seen = notice_read("k"), notice_read("new"), noticeboard()["k"], "new" in noticeboard()
        assert noticeboard().keys() == {"k"}
        return first, seen

    @when(board)
    def looks_later(board):
        return notice_read("k"), notice_read("new")

    assert looks.result() == (1, (1, None, 1, False))
    assert looks_later.result() == (3, 2)


def test_the_moment_is_that_of_the_first_look() -> None:
    @when()
    def writes_first():
        notice_write("k", 1)
        seen = [notice_read("k")]
        notice_write("k", 2)
        return [*seen, notice_read("k")]

    assert writes_first.result() == [1, 1]


def test_a_value_is_decoded_once_for_a_behavior() -> None:
    notice_write("k", [1])

    @when()
    def reads():
        notice_read("k").append(2)
        return notice_read("k") is noticeboard()["k"] is noticeboard().copy()["k"], notice_read("k")

    assert reads.result() == (True, [1, 2])
    assert notice_read("k") == [1]
    assert notice_read("k") is not notice_read("k")


def test_a_write_is_seen_by_what_its_writer_schedules() -> None:
    def reads():
        return notice_read("k")

    def writes(round):
        notice_write("k", round)
        return when()(reads)

    for round in range(200):
        notice_write("k", -round)
        outside = when()(reads)
        assert outside.result() == -round

        inside = whencall(writes, [], [round])
        assert inside.result().result() == round
    with batch():
        notice_write("k", "batch")
        batched = when()(reads)
        notice_write("k", "later")
    assert batched.result() == "later"


def test_a_chain_of_behaviors_passes_values_on() -> None:
    end = Cown(0)

    def step(n):
        assert notice_read("at") == n
        notice_write("at", n + 1)
        if n < 300:
            when()(lambda: step(n + 1))
        else:
            when(end)(lambda end: setattr(end, "value", notice_read("at")))

    notice_write("at", 0)
    when()(lambda: step(0))
    quiesce()
    assert end.result() == 301


def test_from_threads() -> None:
    def writes(name):
        def work():
            for i in range(300):
                notice_write(f"{name}.{i % 10}", [i])
                assert notice_read(f"{name}.{i % 10}") == [i]
                notice_update("together", lambda n: n + 1, 0)

        return work

    def reads():
        seen = 0
        while seen < 1200:
            now = noticeboard().get("together", 0)
            assert now >= seen
            assert all(len(value) == 1 for key, value in noticeboard().items() if key != "together")
            seen = now

    run_threads(*[writes(name) for name in "abcd"], reads)
    assert notice_read("together") == 1200
    assert noticeboard() == {f"{name}.{i}": [290 + i] for name in "abcd" for i in range(10)} | {"together": 1200}


def test_from_threads_in_a_behavior() -> None:
    @when()
    def runs_threads():
        notice_write("k", 1)
        assert notice_read("k") == 1
        notice_write("k", 2)
        seen = []
        thread = threading.Thread(target=lambda: seen.append(notice_read("k")))
        thread.start()
        thread.join()
        return seen, notice_read("k")

    assert runs_threads.result() == ([2], 1)


def test_a_snapshot_outlives_its_behavior() -> None:
    notice_write("k", [1])
    board = Cown(noticeboard())
    kept = Cown[Any](None)

    @when(kept)
    def keeps(kept):
        kept.value = noticeboard()

    @when(kept)
    def looks(kept):
        notice_delete("k")
        return kept.value["k"], type(kept.value) is types.MappingProxyType

    @when()
    def returns():
        return noticeboard()

    assert looks.result() == ([1], True)
    assert keeps.result() is None
    assert when(board)(lambda board: board.value["k"]).result() == [1]
    assert dict(kept.result()) == {"k": [1]}
    assert set(returns.result()) <= {"k"}


def test_a_captured_snapshot() -> None:
    notice_write("k", [1])
    board = noticeboard()
    notice_write("k", [2])

    @when()
    def reads():
        return board["k"], notice_read("k")

    assert reads.result() == ([1], [2])


def test_seed() -> None:
    notice_seed("k", 1)
    assert notice_read("k") == 1

    @when()
    def seeds():
        return caught(notice_seed, "k", 2)

    kind, text = seeds.result()
    assert kind == "RuntimeError" and "primary interpreter" in text
    assert notice_read("k") == 1
    assert run_threads(lambda: notice_seed("k", 3)) == [None]
    assert notice_read("k") == 3


def test_wait_and_quiesce_give_dicts() -> None:
    start(1)
    when()(lambda: notice_write("of a behavior", {"a": [1]}))
    at_rest = quiesce(noticeboard=True)
    assert type(at_rest) is dict and at_rest == {"of a behavior": {"a": [1]}}
    at_rest["of a behavior"]["a"].append(2)
    at_rest["new"] = 1
    both = quiesce(stats=True, noticeboard=True)
    assert type(both) is WaitResult and both.noticeboard == {"of a behavior": {"a": [1]}} and len(both.stats) == 1
    at_end = wait(noticeboard=True)
    assert type(at_end) is dict and at_end == {"of a behavior": {"a": [1]}}
    assert noticeboard() == {} and wait(noticeboard=True) == quiesce(noticeboard=True) == {}
    notice_write("next", 1)
    assert when()(lambda: dict(noticeboard())).result() == {"next": 1}
    assert wait() is None
    assert noticeboard() == {}


def test_wait_counts_what_behaviors_have_written() -> None:
    def writes(i):
        notice_write(f"k{i}", i)
        notice_update("sum", lambda total: total + i, 0)

    for i in range(50):
        whencall(writes, [], [i])
    assert wait(noticeboard=True) == {f"k{i}": i for i in range(50)} | {"sum": sum(range(50))}


def test_names() -> None:
    names = {"REMOVED", *(f"notice_{verb}" for verb in ("delete", "read", "seed", "update", "write")), "noticeboard"}
    assert names <= set(bocpy.__all__)
    assert all(getattr(bocpy, name).__doc__ for name in names)
