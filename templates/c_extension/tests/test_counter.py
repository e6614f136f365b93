"""What an extension type must do in cowns, on whatever backend the tests run."""

from __future__ import annotations

import subprocess
import sys
import threading

import bocpy
import bocpy_counter
import pytest
from bocpy import Cown, PinnedCown, TransferError, read, start, wait, when
from bocpy_counter import Counter


@pytest.fixture(autouse=True)
def two_workers():
    start(2)
    yield
    wait(timeout=20)


def test_without_cowns() -> None:
    counter = Counter(3)
    assert (counter.increment(), counter.count) == (4, 4)
    with pytest.raises(TypeError):
        Counter("many")


def test_moves_between_workers_and_stays_where_it_is_in_memory() -> None:
    counter = Counter()
    address = counter.address
    cown = Cown(counter)
    others = [Cown([]) for _ in range(2)]  # made by different workers, mostly, so that the behaviors below wander

    def hop(left: int) -> object:
        @when(cown, others[left % 2])
        def step(cown, other):
            other.value.append(left)
            cown.value.increment()
            return cown.value.address

        return step

    assert {hop(left).result() for left in range(20)} == {address}
    with cown as value:
        assert (value.count, value.address) == (20, address)


def test_a_result_moves_on() -> None:
    @when()
    def made():
        return Counter(5)

    @when(made)
    def again(made):
        return made.value.increment()

    assert again.result() == 6
    assert made.result(take=True).count == 6


def test_use_without_ownership_raises() -> None:
    counter = Counter()
    cown = Cown(counter)
    with pytest.raises(RuntimeError, match="given to a cown"):
        counter.increment()
    with pytest.raises(RuntimeError, match="given to a cown"):
        _ = counter.count
    with cown as held:
        assert held.increment() == 1
        kept = held
    with pytest.raises(RuntimeError, match="given to a cown"):
        _ = kept.count


@pytest.mark.skipif(bocpy.backend() != "threads", reason="threads alone: elsewhere nobody else has such an object")
def test_use_by_a_behavior_that_does_not_hold_it_raises() -> None:
    cown = Cown(Counter())

    @when(cown)
    def hide(cown):
        bocpy_counter.hidden = cown.value

    hide.result()

    @when()
    def abuse():
        return bocpy_counter.hidden.increment()

    with pytest.raises(RuntimeError, match="given to a cown"):
        abuse.result()

    @when(cown)
    def use(cown):
        return bocpy_counter.hidden.increment()

    assert use.result() == 1
    del bocpy_counter.hidden


@pytest.mark.skipif(bocpy.backend() != "threads", reason="threads alone: elsewhere the encoded counter has no handle")
def test_use_by_another_thread_raises() -> None:
    cown = Cown(Counter())
    answers = []

    def use(counter: Counter) -> None:
        try:
            answers.append(counter.count)
        except RuntimeError as error:
            answers.append(str(error))

    with cown as counter:
        thread = threading.Thread(target=use, args=(counter,))
        thread.start()
        thread.join()
    assert len(answers) == 1 and "given to a cown" in answers[0]


def test_result_is_a_copy_of_ones_own() -> None:
    cown = Cown(Counter(7))
    copy = cown.result()
    assert copy.increment() == 8

    @when(cown)
    def look(cown):
        return cown.value.count

    assert look.result() == 7
    assert cown.result().count == 7


def test_taking_gives_it_back() -> None:
    counter = Counter(1)
    cown = Cown(counter)
    taken = cown.result(take=True)
    assert taken.increment() == 2
    again = Cown(taken)
    with pytest.raises(RuntimeError, match="given to a cown"):
        taken.increment()
    assert again.result().count == 2


def test_replacing_the_value_gives_it_back() -> None:
    cown = Cown(Counter(1))
    with cown as counter:
        cown.value = None
        assert counter.increment() == 2


def test_a_dropped_cown_gives_it_back_or_ends_it() -> None:
    cown = Cown(Counter(1))
    wait()
    counter = cown.value
    del cown
    assert counter.increment() == 2


def test_after_wait_every_cown_is_open() -> None:
    cown = Cown(Counter(1))

    @when(cown)
    def more(cown):
        cown.value.increment()

    wait()
    assert cown.value.count == 2
    assert cown.value.increment() == 3
    start(2)

    @when(cown)
    def look(cown):
        return cown.value.count

    assert look.result() == 3


def test_captures_are_copies() -> None:
    counter = Counter(1)

    def schedule():
        @when()
        def use():
            return counter.increment()

        return use

    assert schedule().result() == 2
    assert counter.count == 1


def test_readers() -> None:
    cown = Cown(Counter(4))

    @when(cown)
    def more(cown):
        return cown.value.increment()

    def look():
        @when(read(cown))
        def looked(cown):
            return cown.value.count

        return looked

    assert {look().result() for _ in range(10)} == {5}
    assert cown.result().count == 5


def test_in_containers() -> None:
    counter = Counter(2)
    cown = Cown({"one": counter, "same": counter, "rest": [1, 2]})

    @when(cown)
    def more(cown):
        cown.value["one"].increment()
        return cown.value["one"] is cown.value["same"], cown.value["same"].count

    assert more.result() == (True, 3)
    copy = cown.result()
    assert copy["one"] is copy["same"]
    assert (copy["one"].increment(), cown.result()["one"].count) == (4, 3)


@pytest.mark.skipif(bocpy.backend() != "subinterp", reason="subinterp alone: on threads nothing is carried")
def test_what_cannot_be_given_stays_whole() -> None:
    counter, given = Counter(), Counter()
    cown = Cown(given)
    with pytest.raises(TransferError, match="Counter"):
        Cown([counter, given])
    assert counter.increment() == 1
    with pytest.raises(TransferError):
        Cown([counter, threading.Lock()])
    assert counter.increment() == 2
    assert cown.result().count == 0


def test_made_where_main_never_imported_it() -> None:
    program = """
from bocpy import when

@when()
def made():
    import bocpy_counter
    return bocpy_counter.Counter(3)

@when(made)
def more(made):
    return made.value.increment()

print(more.result(), made.result().count, made.result(take=True).increment())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "4 4 5\n", "")


def test_twice_given_away() -> None:
    counter = Counter()
    first = Cown(counter)
    if bocpy.backend() == "subinterp":
        with pytest.raises(TransferError, match="Counter"):
            Cown(counter)
    assert first.result().count == 0


def test_pinned_ones_are_the_main_threads() -> None:
    """There they can be used at any time, whoever holds the cown."""
    pinned, others = PinnedCown(Counter(5)), PinnedCown(Counter(0))
    assert pinned.value.increment() == 6
    with pinned as counter:
        counter.increment()

    @when(pinned)
    def step(pinned):
        others.value.increment()
        return pinned.value.increment()

    assert step.result() == 8
    pinned.value = Counter(1)
    assert (pinned.value.count, others.value.count, pinned.result().count) == (1, 1, 1)
