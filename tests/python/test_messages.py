"""Messages: order, tags, time-outs, bad input, drain and set_tags."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

import pytest
from boc_testing import DEADLINE, SHORT, run_threads
from bocpy import (
    TIMEOUT,
    Cown,
    drain,
    receive,
    send,
    set_tags,
    start,
    whencall,
)
from suspension_testing import quiesce_all_waiting

pytestmark = pytest.mark.usefixtures("no_messages")


def none_left(*tags: str) -> bool:
    return receive(list(tags), 0) == (TIMEOUT, None)


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
    start(1)
    results = []
    for number in range(5):
        results.append(whencall(lambda: receive("line", DEADLINE)[1], []))
        quiesce_all_waiting(number + 1)
    for number in range(5):
        send("line", number)
    assert [result.result(DEADLINE) for result in results] == list(range(5))


def received_by_threads(pause: float) -> list[int]:
    """What each of five threads gets, the first first, that begin to wait one after the other."""
    received: dict[int, int] = {}
    threads = []
    for number in range(5):
        ready = threading.Event()

        def run(number: int = number, ready: threading.Event = ready) -> None:
            ready.set()
            received[number] = receive("line", DEADLINE)[1]

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        ready.wait(DEADLINE)
        time.sleep(pause)
    for number in range(5):
        send("line", number)
    for thread in threads:
        thread.join(DEADLINE)
    return [received[number] for number in range(5)]


def test_the_thread_that_waits_first_gets_the_first() -> None:
    # Nothing shows that a thread has got into its wait: on a machine that is busy enough a short pause is too short.
    for pause in (0.02, 0.2, 2.0):
        received = received_by_threads(pause)
        assert sorted(received) == list(range(5))
        if received == list(range(5)):
            return
    pytest.fail(f"in another order even with long pauses: {received}")


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
