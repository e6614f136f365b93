"""Messages: order, tags, waiting, values, from threads and behaviors, with and without a runtime."""

from __future__ import annotations

import collections
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import bocpy
import pytest
from boc_testing import DEADLINE, SHORT, Gate, caught, run_threads
from bocpy import (
    TIMEOUT,
    CancelledError,
    Cown,
    Matrix,
    PinnedCown,
    TransferError,
    drain,
    notice_update,
    quiesce,
    receive,
    scope,
    send,
    set_tags,
    start,
    wait,
    when,
)
from payload_testing import anchors, beside


@pytest.fixture(autouse=True)
def no_messages() -> Iterator[None]:
    set_tags([])
    yield
    set_tags([])


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


# Order.


def test_first_in_first_out() -> None:
    for i in range(1000):
        send("numbers", i)
    assert [receive("numbers")[1] for _ in range(1000)] == list(range(1000))
    assert none_left("numbers")


def test_of_several_tags_the_first_sent() -> None:
    for i in range(30):
        send("abc"[i % 3], i)
    assert [receive(["c", "a", "b"], 1)[1] for _ in range(30)] == list(range(30))
    send("b", 1)
    send("a", 2)
    assert receive(["a", "b"]) == ("b", 1)
    assert receive(("a", "b")) == ("a", 2)


def test_the_message_comes_with_its_tag() -> None:
    tag = "".join(["some", " tag"])
    send(tag, 1)
    assert receive(["other", tag])[0] is tag
    send("", "the empty tag")
    send("\0", "NUL")
    send("käse", "not ASCII")
    assert receive("") == ("", "the empty tag")
    assert receive({"\0"}) == ("\0", "NUL")
    assert receive(["käse"]) == ("käse", "not ASCII")


def test_a_tag_named_twice() -> None:
    (received,) = run_threads(lambda: (send("t", 1), receive(["t", "t"], DEADLINE))[1])
    assert received == ("t", 1)
    assert receive(["t", "t", "u"], SHORT) == (TIMEOUT, None)
    send("t", 2)
    assert receive("t", 0) == ("t", 2)


def test_who_waits_first_gets_the_first() -> None:
    order: list[int] = []
    threads = []
    for number in range(5):
        ready = threading.Event()

        def run(number: int = number, ready: threading.Event = ready) -> None:
            ready.set()
            order.append(number * 10 + receive("line", DEADLINE)[1])

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        ready.wait(DEADLINE)
        time.sleep(SHORT)
    for number in range(5):
        send("line", number)
    for thread in threads:
        thread.join(DEADLINE)
    assert sorted(order) == [0, 11, 22, 33, 44]


def test_ten_thousand_tags() -> None:
    tags = [f"tag number {i}" for i in range(10_000)]
    for i, tag in enumerate(tags):
        send(tag, i)
    assert receive(tags[::-1]) == ("tag number 0", 0)
    assert [receive(tag, 0)[1] for tag in tags[5000:]] == list(range(5000, 10_000))
    drain(tags)
    assert none_left(*tags)
    (got, _) = run_threads(lambda: receive(tags, DEADLINE), lambda: send(tags[7777], "late"))
    assert got == (tags[7777], "late")
    assert none_left(*tags)


def test_many_messages_of_one_tag() -> None:
    for i in range(50_000):
        send("many", i)
    assert all(receive("many", 0)[1] == i for i in range(50_000))


# Time-outs.


@pytest.mark.parametrize("timeout", [0, 0.0, -0.0, SHORT, 1e-300])
def test_the_time_is_over(timeout: float) -> None:
    assert receive("nothing", timeout) == (TIMEOUT, None) == ("__timeout__", None)
    assert receive("nothing", timeout, lambda: [1]) == [1]
    assert receive(tags="nothing", timeout=timeout, after=dict) == {}


def test_a_message_wins_over_a_time_that_is_over() -> None:
    send("t", 1)
    assert receive("t", 0, lambda: "after") == ("t", 1)


@pytest.mark.parametrize("timeout", [-1, -0.5, -math.inf, None, math.inf, 1e300, 10**9])
def test_no_end_of_the_time(timeout: float | None) -> None:
    def answer() -> None:
        time.sleep(SHORT)
        send("t", "there")

    assert run_threads(lambda: receive("t", timeout), answer)[0] == ("t", "there")


def test_what_after_raises_comes_out() -> None:
    def after() -> None:
        send("t", "from after")
        raise KeyError("after")

    with pytest.raises(KeyError, match="after"):
        receive("t", 0, after)
    assert receive("t", 0) == ("t", "from after")


def test_it_does_not_end_early() -> None:
    before = time.monotonic()
    receive(["a", "b"], 0.1)
    assert time.monotonic() - before >= 0.1


# Bad input.


@pytest.mark.parametrize("tag", [1, None, b"t", ["t"], type("Str", (str,), {})("t")])
def test_what_is_no_tag(tag: Any) -> None:
    with pytest.raises(TypeError, match="a tag is a str, not"):
        send(tag, 1)
    for function in (receive, drain, set_tags):
        with pytest.raises(TypeError, match=r"tags? (is|are) a str"):
            function([tag])
    if not isinstance(tag, list):
        for function in (receive, drain, set_tags):
            with pytest.raises(TypeError, match=r"tags? (is|are) a str"):
                function(tag)


def test_tags_that_come_as_something_odd() -> None:
    class Odd:
        def __len__(self) -> int:
            return 1

        def __getitem__(self, at: int) -> str:
            raise KeyError("odd")

    for function in (receive, drain, set_tags):
        with pytest.raises(TypeError, match="tags are a str, or a list or tuple of str, not generator"):
            function(tag for tag in "ab")  # type: ignore[arg-type]
        with pytest.raises(KeyError, match="odd"):
            function(Odd())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"a tag is a str, not .*Cown"):
        receive(["a", Cown("a")])  # type: ignore[list-item]


def test_lone_surrogates() -> None:
    for call in (lambda: send("\ud800", 1), lambda: receive(["a", "\ud800"], 0), lambda: drain("\ud800")):
        with pytest.raises(UnicodeEncodeError):
            call()


def test_no_tags() -> None:
    drain([])
    set_tags(())
    for nothing in ([], (), set()):
        with pytest.raises(RuntimeError, match="without tags would wait for ever"):
            receive(nothing)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("timeout", "error"),
    [("1", TypeError), (True, TypeError), ([], TypeError), (math.nan, ValueError), (10**400, OverflowError)],
)
def test_what_is_no_time(timeout: Any, error: type[Exception]) -> None:
    send("t", 1)
    with pytest.raises(error):
        receive("t", timeout)
    assert receive("t", 0) == ("t", 1)


def test_arguments() -> None:
    with pytest.raises(TypeError, match="after is a function without parameters or None, not int"):
        receive("t", 0, 7)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="missing argument 'contents'"):
        send("t")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="at most 3 arguments"):
        receive("t", 0, None, 1)  # type: ignore[call-overload]
    send(contents=1, tag="t")
    assert receive(tags="t") == ("t", 1)


# Values.


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


# drain and set_tags.


def test_drain() -> None:
    for tag in "abc":
        send(tag, 1)
        send(tag, [2])
    drain("a")
    drain(["b", "nothing", "b"])
    assert none_left("a", "b")
    assert receive("c") == ("c", 1)
    send("a", "new")
    assert receive("a") == ("a", "new")


def test_set_tags_drops_everything() -> None:
    for tag in "abc":
        send(tag, 1)
    with pytest.raises(TypeError):
        set_tags(["a", 1])  # type: ignore[list-item]
    assert receive("a", 0) == ("a", 1)  # an error drops nothing
    set_tags(["a", "z"] * 50)
    assert none_left("a", "b", "c")
    send("other", 1)
    assert receive("other") == ("other", 1)


def test_a_receiver_outlives_drain_and_set_tags() -> None:
    def meddle() -> None:
        time.sleep(SHORT)
        drain(["t", "u"])
        set_tags(["t"])
        send("u", "after all")

    assert run_threads(lambda: receive(["t", "u"], DEADLINE), meddle)[0] == ("u", "after all")


def test_set_tags_in_a_behavior() -> None:
    @when()
    def sets():
        set_tags([])

    with pytest.raises(RuntimeError, match="set_tags\\(\\) is for the primary interpreter"):
        sets.result()


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


# Behaviors.


def test_between_behaviors_and_main() -> None:
    @when()
    def serves():
        total = 0
        while (request := receive(["add", "stop"]))[0] == "add":
            total += request[1]
        send("total", total)
        return total

    for i in range(100):
        send("add", i)
    send("stop", None)
    assert receive("total", DEADLINE) == ("total", 4950)
    assert serves.result() == 4950


def test_between_behaviors(two_workers: None) -> None:
    @when()
    def ping():
        for i in range(200):
            send("ping", [i])
            assert receive("pong", DEADLINE) == ("pong", [i, i])

    @when()
    def pong():
        for _ in range(200):
            (n,) = receive("ping", DEADLINE)[1]
            send("pong", [n, n])

    ping.result(), pong.result()


def test_a_time_out_in_a_behavior() -> None:
    @when()
    def waits():
        return receive("nothing", 0.01), receive("nothing", 0.01, lambda: "after"), receive("nothing", 0)

    assert waits.result() == ((TIMEOUT, None), "after", (TIMEOUT, None))


def test_it_keeps_its_cowns(two_workers: None) -> None:
    c = Cown([])

    @when(c)
    def first(c):
        c.value.append(receive("go")[1])

    @when(c)
    def second(c):
        c.value.append("second")

    with pytest.raises(TimeoutError, match="first"):
        quiesce(SHORT)
    send("go", "first")
    second.result()
    assert c.result() == ["first", "second"]


def test_values_of_a_worker_that_waits(new_gate: Callable[[], Gate], two_workers: None) -> None:
    """They lie in its interpreter, and others get them meanwhile."""
    anchor, other = anchors(new_gate())
    values: list[Cown[Any]] = [Cown(None) for _ in range(2)]

    @beside(anchor, *values)
    def fills(first, second):
        first.value = list(range(1000))
        second.value = {"a": [1]}

    fills.result()

    @beside(anchor)
    def waits():
        send("ready", 1)
        return receive("go", DEADLINE)[1]

    receive("ready", DEADLINE)
    assert values[0].result() == list(range(1000))
    assert beside(other, values[1])(lambda second: second.value).result() == {"a": [1]}
    send("go", "on")
    assert waits.result() == "on"


def test_a_failure_while_another_waits(two_workers: None) -> None:
    @when()
    def waits():
        return receive("go", DEADLINE)[1]

    @when()
    def fails():
        try:
            raise ValueError
        finally:
            send("go", "went")

    assert waits.result() == "went"
    with pytest.raises(ValueError):
        fails.result()


def test_pinned_behaviors_run_while_main_waits() -> None:
    pinned = PinnedCown([])

    @when()
    def on_a_worker():
        @when(pinned)
        def on_main(pinned):
            pinned.value.append(threading.current_thread() is threading.main_thread())
            send("done", len(pinned.value))

    assert receive("done", DEADLINE) == ("done", 1)
    wait()
    assert pinned.value == [True]


def test_in_a_pinned_behavior() -> None:
    pinned = PinnedCown(None)

    @when(pinned)
    def waits(pinned):
        send("ready", 1)
        return receive("go", DEADLINE)[1], receive("nothing", SHORT)

    @when()
    def answers():
        receive("ready", DEADLINE)
        send("go", [1])

    assert waits.result() == ([1], (TIMEOUT, None))


def test_a_message_arrives_from_a_pinned_behavior_that_main_runs() -> None:
    pinned = PinnedCown(None)

    @when(pinned)
    def sends(pinned):
        send("here", "it is")

    assert receive("here", DEADLINE) == ("here", "it is")


def test_output_comes_before_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(20):

        @when()
        def says(i=i):
            print("line", i)
            send("said", i)

        assert receive("said", DEADLINE) == ("said", i)
        assert capsys.readouterr().out == f"line {i}\n"


def test_in_the_function_of_an_update() -> None:
    def update(old: Any) -> Any:
        send("t", 1)
        assert receive("t", 0) == ("t", 1)
        return caught(receive, "t", SHORT)

    notice_update("key", update)
    kind, why = bocpy.notice_read("key")
    assert kind == "RuntimeError" and "receive() in the function of notice_update()" in why


# Cancelled scopes.


def test_a_cancelled_scope(two_workers: None, unraisable: list[str]) -> None:
    """The wait is given up, and that is no failure; what was to be received is still there."""
    with scope() as s:

        @when()
        def waits():
            send("ready", 1)
            receive(["never", "nor this"])

        @when()
        def catches():
            send("ready", 1)
            try:
                receive("never")
            except CancelledError as error:
                send("caught", str(error))
            return "went on"

        for _ in range(2):
            receive("ready", DEADLINE)
        s.cancel()
    assert receive("caught", DEADLINE) == ("caught", "receive() was given up: the scope of this behavior was cancelled")
    assert catches.result() == "went on"
    send("never", 1)
    assert receive("never", 0) == ("never", 1)
    wait()
    assert waits.exception and isinstance(waits.value, CancelledError)
    assert unraisable == []


def test_a_scope_that_an_error_leaves() -> None:
    with pytest.raises(KeyError), scope():

        @when()
        def waits():
            send("ready", 1)
            receive("never")

        receive("ready", DEADLINE)
        raise KeyError


def test_receive_once_the_scope_is_cancelled(gate: Gate) -> None:
    """What is there is received; a wait is given up before it begins, whatever its time-out."""
    with scope() as s:

        @when()
        def runs():
            gate.pass_through()
            there = receive(["t", "u"])
            return there, receive("t", 0), caught(receive, "t", DEADLINE)[0], caught(receive, ["t", "u"])[0]

        gate.wait_arrived()
        s.cancel()
        send("u", 1)
        gate.open()
    assert runs.result() == (("u", 1), (TIMEOUT, None), "CancelledError", "CancelledError")


def test_only_the_scopes_own_are_given_up(two_workers: None) -> None:
    with scope() as s:

        @when()
        def inside():
            send("ready", 1)
            receive("go")

        receive("ready", DEADLINE)
        with scope():
            outside = s  # its own scope is inside s as well: cancelled with it

            @when()
            def nested():
                send("ready", 2)
                receive("go")

            receive("ready", DEADLINE)
            outside.cancel()

    @when()
    def free():
        send("ready", 3)
        return receive("go")[1]

    receive("ready", DEADLINE)
    with scope() as other:
        other.cancel()
    send("go", "on")
    assert free.result() == "on"


# The runtime's life.


def test_start_and_wait_lose_nothing() -> None:
    send("t", [1])
    start(2)
    send("t", [2])
    wait()
    start(1)
    assert [receive("t", 0)[1] for _ in range(2)] == [[1], [2]]

    @when()
    def sends():
        send("t", [3])

    wait()
    assert receive("t", 0) == ("t", [3])


def test_a_thread_waits_over_restarts() -> None:
    def restart() -> None:
        for _ in range(3):
            start(1)
            when()(lambda: None)
            wait()
        send("t", "after all")

    assert run_threads(lambda: receive("t", DEADLINE), restart)[0] == ("t", "after all")
