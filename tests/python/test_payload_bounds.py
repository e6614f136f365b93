"""Values that cannot be carried stay where they are and attract the behaviors that need them; what nobody needs any
longer is dropped where it lives, soon.

On threads every value can be used everywhere: there these programs find the value where the other backend raises.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import pytest
from boc_testing import DEADLINE, SHORT, Gate, caught
from bocpy import Cown, TransferError, hold, quiesce, read, start, wait, when
from payload_testing import MOVING, Loud, LoudBytes, anchors, beside, counts, heard, here, live_apart

#: For tests of when objects go.
prompt = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="free-threaded builds bury an object in the thread that made it, once that runs again",
)

MADE_THERE = {
    "lock": threading.Lock,
    "file": lambda: open(os.devnull),  # noqa: SIM115
    "generator": lambda: (x for x in range(10**9)),
    "deep inside": lambda: {"a": [1, ("b", [threading.Lock()])]},
}


def close(cown) -> None:
    if hasattr(cown.value, "close"):
        cown.value.close()


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("kind", MADE_THERE)
def test_it_stays_and_its_behaviors_come(kind: str, workers: int) -> None:
    start(workers)
    cown, made, total = Cown(None), MADE_THERE[kind], Cown(0)

    @when(cown)
    def make(cown):
        cown.value = made()
        return here()

    def use(cown, total):
        total.value += 1
        return here()

    places = [when(cown, total)(use) for _ in range(50)]
    places += [when(read(cown), total)(use) for _ in range(50)]
    if MOVING:
        assert {place.result() for place in places} == {make.result()}
    when(cown)(close)
    assert total.result() == 100


def test_a_result_that_stays(two_workers: None) -> None:
    @when()
    def numbers():
        return (x * x for x in range(1000))

    assert [when(numbers)(lambda numbers: next(numbers.value)).result() for _ in range(20)] == [
        x * x for x in range(20)
    ]


def test_it_comes_with_light_and_large_values(two_workers: None, gate: Gate) -> None:
    """What can be carried goes to what cannot, however large it is."""
    left, right = anchors(gate)
    large = Cown(None)
    beside(right, large)(lambda large: setattr(large, "value", [0] * 100_000)).result()
    assert beside(left, large)(lambda large: len(large.value)).result() == 100_000
    assert beside(right, large)(lambda large: len(large.value)).result() == 100_000


def test_attracted_by_many(gate: Gate) -> None:
    """Eight such values in eight workers; random behaviors with one of them and any number of others."""
    start(8)
    places = anchors(gate, 8)
    cowns = [Cown([0]) for _ in range(8)]

    def add(*cowns):
        for cown in cowns:
            cown.value[0] += 1

    for i in range(400):
        beside(places[i * 7 % 8], cowns[i % 8], cowns[(i * 3 + 1) % 8])(add)
    wait(timeout=DEADLINE)
    assert sum(cown.value[0] for cown in cowns) == sum(1 + ((i % 8) != (i * 3 + 1) % 8) for i in range(400))


# where it is asked for elsewhere -------------------------------------------------------------------------------------


def look_at_both(left, right):
    return caught(lambda: left.value)[0], caught(lambda: right.value)[0]


def test_two_in_different_workers(two_workers: None, gate: Gate) -> None:
    """Whoever asks gets the error at the value that is elsewhere, and nothing is lost."""
    left, right = live_apart(gate, *[lambda: [threading.Lock(), 0]] * 2)
    for _ in range(20):
        errors = when(left, right)(look_at_both).result()
        assert sorted(errors) == (["", "TransferError"] if MOVING else ["", ""])

    def count(cown):
        cown.value[1] += 1
        with cown.value[0]:
            return cown.value[1]

    for n in range(1, 5):
        assert (when(left)(count).result(), when(right)(count).result()) == (n, n)


@pytest.mark.backend("subinterp", reason="on threads every value can be used everywhere")
def test_what_the_error_says(two_workers: None, gate: Gate) -> None:
    left, right = live_apart(gate, *[lambda: [threading.Lock()]] * 2)

    @when(left, right)
    def ask(left, right):
        return [text for name, text in (caught(lambda: left.value), caught(lambda: right.value)) if name]

    (text,) = ask.result()
    assert "list" in text and "lock" in text, text
    with pytest.raises(TransferError, match="lock"):
        left.result()


@pytest.mark.backend("subinterp", reason="on threads every value can be used everywhere")
def test_a_behavior_that_does_not_look_is_not_disturbed(two_workers: None, gate: Gate) -> None:
    left, right = anchors(gate)
    ran = when(left, right)(lambda left, right: "ran")
    assert ran.result() == "ran"

    @when(left, right)
    def replace(left, right):
        left.value, right.value = 1, 2

    replace.result()
    assert (left.result(), right.result()) == (1, 2)


def ask_with(cown):
    with cown:
        pass


def ask_in_the_window(cown):
    wait()
    return cown.value


ASK: dict[str, Callable[[Cown], object]] = {
    "result": lambda cown: cown.result(),
    "take": lambda cown: cown.result(take=True),
    "with": ask_with,
    "unwrap": lambda cown: wait() or cown.unwrap(),
    "window": ask_in_the_window,
}


@pytest.mark.backend("subinterp", reason="on threads main can use the value")
@pytest.mark.parametrize("ask", ASK)
def test_main_asks(ask: str, two_workers: None) -> None:
    """The error says what cannot come and why; the value stays, and main may ask again."""
    cown = Cown(None)
    when(cown)(lambda cown: setattr(cown, "value", {"lock": threading.Lock(), "n": 1})).result()
    for _ in range(2):
        with pytest.raises(TransferError, match="lock"):
            ASK[ask](cown)
    start(2)
    assert when(cown)(lambda cown: cown.value["n"]).result() == 1


@pytest.mark.backend("subinterp", reason="on threads main can use the value")
def test_main_replaces_it(two_workers: None) -> None:
    cown = Cown(None)
    when(cown)(lambda cown: setattr(cown, "value", threading.Lock())).result()
    with hold(cown):
        cown.value = [1]
    assert cown.result() == [1]
    assert when(cown)(lambda cown: cown.value).result() == [1]


def test_carriable_again(two_workers: None, gate: Gate) -> None:
    """Once the obstacle is gone the value goes everywhere again."""
    left, right = anchors(gate)
    cown = Cown(None)
    beside(left, cown)(lambda cown: setattr(cown, "value", [1, threading.Lock()])).result()
    if MOVING:
        with pytest.raises(TransferError):
            cown.result()
    when(cown)(lambda cown: cown.value.pop() and None).result()
    assert beside(right, cown)(lambda cown: cown.value.append(2)).result() is None
    assert cown.result() == [1, 2]
    beside(left, cown)(lambda cown: setattr(cown, "value", threading.Lock())).result()
    beside(left, cown)(lambda cown: setattr(cown, "value", {"plain": 1})).result()
    assert beside(right, cown)(lambda cown: cown.value).result() == {"plain": 1}


def test_it_outlasts_its_worker(gate: Gate) -> None:
    """Its interpreter lives on when fewer workers are started, and its behaviors still go there."""
    start(2)
    cowns = live_apart(gate, *[lambda: [threading.Lock(), 5]] * 2)
    for count in (1, 2, 1, 4):
        wait()
        start(count)
        uses = [when(cown)(lambda cown: cown.value[1]) for cown in cowns]
        assert [use.result(timeout=DEADLINE) for use in uses] == [5, 5]


@pytest.mark.backend("subinterp", reason="on threads the exception is the object itself")
def test_an_exception_that_cannot_be_carried(two_workers: None) -> None:
    def boom():
        raise ValueError("told", threading.Lock())

    with pytest.raises((ValueError, TransferError), match=r"ValueError|told"):
        when()(boom).result()

    @when(when()(boom))
    def look(failed):
        return failed.exception, f"{type(failed.value).__name__}: {failed.value}"

    exception, text = look.result()
    assert exception and "ValueError" in text and "told" in text, text


# a hold that ends with such a value ----------------------------------------------------------------------------------


@pytest.mark.backend("subinterp", reason="on threads a hold may leave any value")
def test_the_end_of_a_hold(two_workers: None) -> None:
    cown = Cown([1])
    with pytest.raises(TransferError, match="lock") as raised, cown as held:
        held.append(threading.Lock())
    assert "into this one" not in str(raised.value)  # it has not been asked for from here
    for _ in range(2):
        with pytest.raises(TransferError, match="lock"):
            when(cown)(lambda cown: cown.value).result()
        with pytest.raises(TransferError):
            when(read(cown))(lambda cown: cown.value).result()
    with cown as held:  # it is still main's
        assert held[0] == 1
        held.pop()
    assert when(cown)(lambda cown: cown.value).result() == [1]


@pytest.mark.backend("subinterp", reason="on threads a hold may leave any value")
def test_the_error_of_the_block_goes_on(two_workers: None) -> None:
    cown = Cown([1])
    with pytest.raises((KeyError, TransferError)) as raised, cown as held:
        held.append(threading.Lock())
        raise KeyError("of the block")
    errors = [raised.value, raised.value.__context__, raised.value.__cause__]
    assert any(isinstance(error, KeyError) for error in errors)
    with cown as held:
        held.pop()


@pytest.mark.backend("subinterp", reason="on threads a cown takes any value")
def test_refused_where_it_is_given(two_workers: None) -> None:
    cown, lock = Cown([1]), threading.Lock()
    with pytest.raises(TransferError, match="lock"), cown:
        cown.value = lock
    wait()
    with pytest.raises(TransferError, match="lock"):
        cown.value = lock
    assert cown.value == [1]
    cown.value.append(lock)  # noticed at the end of the window
    start(2)
    with pytest.raises(TransferError, match="lock"):
        when(cown)(lambda cown: cown.value).result()
    with cown as held:
        assert held.pop() is lock
    assert cown.result() == [1]


# dropped where it lives ----------------------------------------------------------------------------------------------


def fill_loudly(cown, pipe, size):
    cown.value = LoudBytes(size)
    cown.value.pipe = pipe


HEAVY: dict[str, Callable[[int], object]] = {
    "bytes of its own": lambda pipe: large(pipe),
    "in a list": lambda pipe: [Loud(pipe), bytearray(50_000_000)],
    "long list": lambda pipe: [Loud(pipe), *range(1_000_000)],
}


def large(pipe: int) -> LoudBytes:
    value = LoudBytes(50_000_000)
    value.pipe = pipe
    return value


@prompt
@pytest.mark.parametrize("kind", HEAVY)
def test_large_memory_of_a_parked_worker_goes_soon(kind: str, two_workers: None, gate: Gate, pipe) -> None:
    """The last handle goes in main; nothing is scheduled."""
    left, _ = anchors(gate)
    cown, make, end = Cown(None), HEAVY[kind], pipe[1]
    beside(left, cown)(lambda cown: setattr(cown, "value", make(end))).result()
    assert heard(pipe[0], timeout=SHORT) == 0
    del cown
    assert heard(pipe[0]) == 1


@prompt
def test_many_small_values_of_a_parked_worker(two_workers: None, gate: Gate, pipe) -> None:
    left, _ = anchors(gate)
    cowns, end = [Cown(None) for _ in range(3000)], pipe[1]

    def make(*cowns):
        for cown in cowns:
            cown.value = [Loud(end)]

    beside(left, *cowns)(make).result()
    del cowns
    assert heard(pipe[0], 1000) == 1000
    wait()
    assert heard(pipe[0], 2000) == 2000


@prompt
def test_a_small_value_goes_with_the_next_occasion(two_workers: None, gate: Gate, pipe) -> None:
    left, _ = anchors(gate)
    cown, end = Cown(None), pipe[1]
    beside(left, cown)(lambda cown: setattr(cown, "value", [Loud(end)])).result()
    del cown
    beside(left)(int).result()
    assert heard(pipe[0]) == 1


@prompt
def test_what_is_taken_elsewhere_goes_at_home(two_workers: None, gate: Gate, pipe) -> None:
    """The other worker gets a value equal to it; the first one drops its own."""
    left, right = anchors(gate)
    cown, end = Cown(None), pipe[1]
    beside(left, cown)(lambda cown: setattr(cown, "value", large(end))).result()
    assert beside(right, cown)(lambda cown: len(cown.value)).result() == 50_000_000
    assert heard(pipe[0], timeout=DEADLINE if MOVING else SHORT) == (1 if MOVING else 0)
    beside(right, cown)(lambda cown: setattr(cown, "value", None)).result()
    assert heard(pipe[0]) == 1


@prompt
def test_copies_of_readers_go(two_workers: None, gate: Gate, pipe) -> None:
    """At the next write; at the latest when the workers stop."""
    left, right = anchors(gate)
    cown, end = Cown(None), pipe[1]
    beside(left, cown)(lambda cown: setattr(cown, "value", large(end))).result()
    for place in (left, right):
        beside(place, read(cown))(lambda cown: len(cown.value)).result()
    beside(left, cown)(lambda cown: setattr(cown, "value", 0)).result()
    assert heard(pipe[0], 2 if MOVING else 1) == (2 if MOVING else 1)
    wait()
    assert heard(pipe[0], timeout=SHORT) == 0


@prompt
@pytest.mark.parametrize("who", ["main", "left", "right"])
def test_whoever_replaces_it(who: str, two_workers: None, gate: Gate, pipe) -> None:
    places = dict(zip(("left", "right"), anchors(gate), strict=True))
    cown, end = Cown(None), pipe[1]
    beside(places["left"], cown)(lambda cown: setattr(cown, "value", large(end))).result()
    if who == "main":
        with cown:
            cown.value = None
    else:
        beside(places[who], cown)(lambda cown: setattr(cown, "value", None)).result()
    # A worker that replaces what lives elsewhere may get it first.
    assert heard(pipe[0]) == 1
    wait()
    assert heard(pipe[0], timeout=SHORT) <= 1


def test_not_fetched_is_counted(two_workers: None, gate: Gate) -> None:
    anchor, _ = anchors(gate)
    before = counts()
    for _ in range(10):
        beside(anchor)(int)
    after = counts()
    if MOVING:
        assert (after - before)["not_fetched"] <= 1 and (after - before)["resident_hits"] == 10


def test_workers_of_an_earlier_start_are_counted_if_they_ran_something(gate: Gate) -> None:
    start(3)
    places = anchors(gate, 3)
    wait()
    start(1)
    idle = quiesce(stats=True)
    assert [worker["worker_index"] for worker in idle] == [0]
    for anchor in places:
        beside(anchor)(int).result()
    stats = quiesce(stats=True)
    assert [worker["worker_index"] for worker in stats] == ([0, 1, 2] if MOVING else [0])
    assert [worker["executed"] for worker in stats] == ([1, 1, 1] if MOVING else [3])
    with pytest.raises(RuntimeError, match="already running with 1 workers"):
        start(3)
    assert len(wait(stats=True)) == len(stats)
