"""Messages in behaviors, pinned ones too, in scopes that are cancelled, over starts and stops."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import bocpy
import pytest
from boc_testing import DEADLINE, SHORT, Gate, caught, run_threads
from bocpy import (
    TIMEOUT,
    CancelledError,
    Cown,
    PinnedCown,
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

pytestmark = pytest.mark.usefixtures("no_messages")


def test_set_tags_in_a_behavior() -> None:
    @when()
    def sets():
        set_tags([])

    with pytest.raises(RuntimeError, match="set_tags\\(\\) is for the primary interpreter"):
        sets.result()


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
