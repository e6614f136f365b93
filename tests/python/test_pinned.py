"""Pinned cowns themselves: their values stay on the main thread, whoever has a handle."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import bocpy
import pytest
from boc_testing import DEADLINE, FREE_THREADED, caught, run_threads
from bocpy import Cown, PinnedCown, TransferError, hold, quiesce, wait, when
from pinned_testing import Canvas, on_main


def test_the_value_is_the_object_itself_at_any_time() -> None:
    canvas = Canvas()
    pinned = PinnedCown(canvas)
    assert isinstance(pinned, Cown)
    assert pinned.value is canvas
    assert pinned.acquired
    other = Canvas()
    pinned.value = other
    assert pinned.value is other
    with pinned as value:
        assert value is other
    pinned.acquire()
    pinned.acquire(timeout=1)
    pinned.release()
    pinned.release()
    assert pinned.value is other
    assert "PinnedCown" in repr(pinned)


@pytest.mark.parametrize(
    "use",
    [
        lambda p: p.value,
        lambda p: setattr(p, "value", 1),
        lambda p: p.acquire(),
        lambda p: p.release(),
        lambda p: p.__enter__(),
        lambda p: p.result(),
        lambda p: p.unwrap(),
        lambda p: p.exception,
        lambda p: hold(p).__enter__(),
        lambda p: PinnedCown(1),
    ],
)
def test_other_threads_are_refused(use: Callable[[PinnedCown[Any]], Any]) -> None:
    pinned = PinnedCown([])
    outcome = run_threads(lambda: (*caught(use, pinned), pinned.acquired))[0]
    assert outcome[0] == "RuntimeError"
    assert "main interpreter" in outcome[1]
    assert outcome[2] is False
    assert pinned.value == []


def test_workers_are_refused() -> None:
    pinned = PinnedCown([])

    @when()
    def on_a_worker() -> list[tuple[str, str]]:
        return [
            caught(lambda: pinned.value),
            caught(pinned.acquire),
            caught(pinned.release),
            caught(pinned.__enter__),
            caught(pinned.unwrap),
            caught(PinnedCown, 1),
        ]

    for kind, message in on_a_worker.result(DEADLINE):
        assert kind == "RuntimeError"
        assert "main interpreter" in message


def test_result_waits_for_what_is_scheduled_and_gives_the_object() -> None:
    canvas = Canvas()
    pinned = PinnedCown(canvas)

    @when(pinned)
    def draw(pinned: PinnedCown[Canvas]) -> None:
        pinned.value.drawn.append(1)

    assert pinned.result(DEADLINE) is canvas
    assert canvas.drawn == [1]
    assert pinned.result(DEADLINE, take=True) is canvas
    assert pinned.value is None


def test_unwrap_takes_the_object_of_an_idle_one() -> None:
    canvas = Canvas()
    pinned = PinnedCown(canvas)

    @when(pinned)
    def draw(pinned: PinnedCown[Canvas]) -> None: ...

    kind, message = caught(pinned.unwrap)
    assert kind == "RuntimeError"
    assert "still in flight" in message
    quiesce(DEADLINE)
    assert pinned.unwrap() is canvas
    assert pinned.unwrap() is None


def test_hold_takes_it_among_others() -> None:
    pinned = PinnedCown([1])
    plain = Cown([2])

    @when(pinned, plain)
    def add(pinned: PinnedCown[list[int]], plain: Cown[list[int]]) -> None:
        pinned.value.append(3)
        plain.value.append(4)

    with hold(pinned, plain, timeout=DEADLINE):
        assert (pinned.value, plain.value) == ([1, 3], [2, 4])

        @when(pinned)
        def late(pinned: PinnedCown[list[int]]) -> None: ...

        kind, message = caught(quiesce)
        assert kind == "RuntimeError"
        assert "wait for itself" in message
    late.result(DEADLINE)


def test_returning_the_pinned_object_is_refused_but_pinned_ones_may_share() -> None:
    first = PinnedCown(Canvas())
    second: PinnedCown[Any] = PinnedCown(None)

    @when(first)
    def give(first: PinnedCown[Canvas]) -> Any:
        return first.value

    @when(first, second)
    def share(first: PinnedCown[Canvas], second: PinnedCown[Any]) -> PinnedCown[Any]:
        second.value = first.value
        return PinnedCown(first.value)

    with pytest.raises(TransferError):
        give.result(DEADLINE)
    third = share.result(DEADLINE)
    assert second.value is first.value
    assert third.value is first.value


def test_handles_travel_in_values_and_results() -> None:
    canvas = Canvas()
    box = Cown([PinnedCown(canvas)])

    @when(box)
    def pass_on(box: Cown[list[PinnedCown[Canvas]]]) -> PinnedCown[Canvas]:
        return box.value[0]

    @when(pass_on)
    def use(pinned: Cown[PinnedCown[Canvas]]) -> Cown[int]:
        @when(pinned.value)
        def draw(pinned: PinnedCown[Canvas]) -> int:
            pinned.value.drawn.append(1)
            return len(pinned.value.drawn)

        return draw

    assert use.result(DEADLINE).result(DEADLINE) == 1
    back = pass_on.result(DEADLINE)
    assert isinstance(back, PinnedCown)
    assert back.value is canvas


@pytest.mark.skipif(FREE_THREADED, reason="free-threaded builds bury objects late")
def test_the_last_handle_on_a_worker_leaves_the_value_to_the_main_thread() -> None:
    where: list[bool] = []

    class Tells:
        def __del__(self) -> None:
            where.append(on_main())

    box = Cown([PinnedCown(Tells()) for _ in range(50)])

    @when(box)
    def empty(box: Cown[list[Any]]) -> None:
        box.value.clear()

    empty.result(DEADLINE)
    wait(DEADLINE)
    for _ in range(1000):  # bytecode of the main thread
        pass
    assert where == [True] * 50


def test_a_cycle_through_a_pinned_cown_is_collected_on_main() -> None:
    canvas = Canvas()
    gone = weakref.ref(canvas)
    canvas.drawn.append(PinnedCown(canvas))
    del canvas
    gc.collect()
    assert gone() is None


def test_what_is_pickled_in_a_visit_of_main_is_not_on_main() -> None:
    """Main fetches a value from a worker that sleeps by going there: what runs then is the worker's."""
    pinned = PinnedCown([])

    class Asks:
        def __init__(self, pinned: Any) -> None:
            self.pinned = pinned
            self.answers: list[str] = []

        def __getstate__(self) -> dict[str, Any]:
            answers = [caught(lambda: self.pinned.value)[0], caught(PinnedCown, 1)[0]]
            self.pinned = None  # perhaps the last handle
            return {"answers": answers}

    @when()
    def make(handle: Any = pinned) -> Any:
        return Asks(handle)

    quiesce(DEADLINE)
    threading.Event().wait(0.02)  # the worker sleeps
    with make as made:
        if bocpy.backend() == "subinterp":
            assert made.answers == ["RuntimeError", "RuntimeError"]
    pinned.value.append(1)
    assert pinned.value == [1]


class InterruptsOnce:
    times = 0

    def __reduce__(self):
        InterruptsOnce.times += 1
        if InterruptsOnce.times == 1:
            raise KeyboardInterrupt
        return (list, ([5],))


@pytest.mark.backend("subinterp", reason="values are pickled there when a pinned behavior ends")
def test_ctrl_c_while_a_value_is_encoded() -> None:
    """It says nothing about the value: workers get it all the same."""
    pinned, cown = PinnedCown(0), Cown(None)

    @when(pinned, cown)
    def fill(pinned, cown):
        cown.value = [InterruptsOnce()]

    with pytest.raises(KeyboardInterrupt):
        quiesce()
    assert when(cown)(lambda cown: cown.value).result() == [[5]]
