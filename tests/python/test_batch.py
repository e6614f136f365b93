"""`with batch():` schedules several behaviors as one step."""

from __future__ import annotations

import concurrent.futures
import gc

import bocpy
import pytest
from boc_testing import DEADLINE, SHORT, caught, run_threads
from bocpy import CancelledError, Cown, batch, quiesce, read, start, when, whencall


def append(*args):
    *cowns, item = args
    for cown in cowns:
        cown.value.append(item)


def test_members_run_after_the_block() -> None:
    cown = Cown([])
    with batch():
        first = when(cown)(lambda cown: append(cown, 1))
        second = when(cown)(lambda cown: append(cown, 2))
        assert isinstance(first, Cown) and isinstance(second, Cown)
    assert cown.result() == [1, 2]
    assert first.result() is None and second.result() is None


def test_nothing_runs_inside_the_block(two_workers: None) -> None:
    cown = Cown([])
    with batch():
        when(cown)(lambda cown: append(cown, "member"))
        # Another thread is not in the batch; had the member been scheduled, this one would come behind it.
        run_threads(lambda: when(cown)(lambda cown: append(cown, "thread")).result())
    assert cown.result() == ["thread", "member"]


def test_an_empty_batch() -> None:
    with batch():
        pass
    assert quiesce() is None


def test_nothing_of_others_comes_between_the_members(two_workers: None) -> None:
    a, b = Cown([]), Cown([])
    rounds = 40

    def batches(name):
        for i in range(rounds):
            with batch():
                whencall(append, [a], [(name, i, "first")])
                whencall(append, [a, b], [(name, i, "both")])
                whencall(append, [b], [(name, i, "last")])

    def noise():
        for i in range(rounds):
            whencall(append, [a], [("noise", i, "a")])
            whencall(append, [b], [("noise", i, "b")])

    run_threads(lambda: batches("x"), lambda: batches("y"), noise)
    for log, first, second in ((a.result(), "first", "both"), (b.result(), "both", "last")):
        assert len(log) == 5 * rounds
        for name in "xy":
            for i in range(rounds):
                at = log.index((name, i, first))
                assert log[at + 1] == (name, i, second)


def test_members_take_their_captures_at_their_when() -> None:
    cown = Cown([])
    with batch():
        for i in range(5):

            @when(cown)
            def add(cown):
                cown.value.append(i)  # noqa: B023

    assert cown.result() == [0, 1, 2, 3, 4]


def test_members_may_use_results_of_other_members() -> None:
    source = Cown(2)
    with batch():

        @when(source)
        def doubled(source):
            return source.value * 2

        @when(doubled, read(source))
        def added(doubled, source):
            return doubled.value + source.value

        @when([doubled, added])
        def listed(both):
            return [cown.value for cown in both]

    assert listed.result() == [4, 6]


def test_a_batch_of_readers_and_writers() -> None:
    cown = Cown(0)

    def add(cown):
        cown.value += 1

    def look(cown):
        return cown.value

    seen = []
    with batch():
        for _ in range(10):
            seen.append(when(read(cown))(look))
            when(cown)(add)
            seen.append(when(read(cown), read(cown))(lambda one, _two: one.value))
    assert [result.result() for result in seen] == [n for i in range(10) for n in (i, i + 1)]


def test_a_large_batch() -> None:
    cowns = [Cown(0) for _ in range(20)]

    def add(a, b):
        a.value += 1
        b.value += 1

    with batch():
        for i in range(2000):
            when(cowns[i % 20], cowns[(i * 7 + 1) % 20])(add)
    quiesce()
    assert sum(cown.result() for cown in cowns) == 4000


def test_an_exception_in_the_block_schedules_nothing() -> None:
    cown = Cown([])
    with pytest.raises(KeyError), batch():
        result = when(cown)(lambda cown: append(cown, "member"))
        dependent = when(result)(lambda result: append(cown, "dependent"))
        raise KeyError
    for cancelled in (result, dependent):
        with pytest.raises(CancelledError):
            cancelled.result()
        with cancelled as value:
            assert type(value) is CancelledError
            assert cancelled.exception is True
    assert cown.result() == []


def test_results_of_an_abandoned_batch_can_be_scheduled_on() -> None:
    with pytest.raises(KeyError), batch():
        result = when()(lambda: "ran")
        raise KeyError

    @when(result)
    def after(result):
        return type(result.value).__name__, result.exception

    assert after.result() == ("CancelledError", True)


def test_cancelled_members_are_not_reported(unraisable: list[str]) -> None:
    with pytest.raises(KeyError), batch():
        when()(lambda: "ran")
        raise KeyError
    bocpy.wait()
    assert unraisable == []


def test_a_rejected_when_in_a_batch_leaves_the_others() -> None:
    cown = Cown([])
    with batch():
        when(cown)(lambda cown: append(cown, 1))
        with pytest.raises(TypeError):
            when(cown, 5)(append)
        when(cown)(lambda cown: append(cown, 2))
    assert cown.result() == [1, 2]


def test_nested_batches_join_the_outer(two_workers: None) -> None:
    cown = Cown([])
    with batch():
        when(cown)(lambda cown: append(cown, 1))
        with batch():
            when(cown)(lambda cown: append(cown, 2))
        run_threads(lambda: when(cown)(lambda cown: append(cown, "thread")).result())
        when(cown)(lambda cown: append(cown, 3))
    assert cown.result() == ["thread", 1, 2, 3]


def test_an_exception_through_both_blocks_schedules_nothing() -> None:
    cown = Cown([])
    with pytest.raises(KeyError), batch():
        outer = when(cown)(lambda cown: append(cown, 1))
        with batch():
            inner = when(cown)(lambda cown: append(cown, 2))
            raise KeyError
    for cancelled in (outer, inner):
        with pytest.raises(CancelledError):
            cancelled.result()
    assert cown.result() == []


def test_a_batch_belongs_to_its_thread() -> None:
    cown = Cown([])

    def in_batch(name):
        for i in range(30):
            with batch():
                whencall(append, [cown], [(name, i, 0)])
                whencall(append, [cown], [(name, i, 1)])

    run_threads(lambda: in_batch("x"), lambda: in_batch("y"))
    log = cown.result()
    assert len(log) == 120
    for first, second in zip(log[::2], log[1::2], strict=True):
        assert (first[:2], first[2], second[2]) == (second[:2], 0, 1)


def test_a_batch_in_a_behavior() -> None:
    cown = Cown([])

    @when(cown)
    def outer(cown):
        with batch():
            when(cown)(lambda cown: append(cown, 1))
            when(cown)(lambda cown: append(cown, 2))
        cown.value.append("outer")

    quiesce()
    assert cown.result() == ["outer", 1, 2]
    assert outer.result() is None


def test_a_batch_belongs_to_its_behavior(two_workers: None) -> None:
    """A behavior that runs while another one has a batch open is in no batch, nor is one that runs after it."""
    cown = Cown([])

    @when()
    def abandons():
        try:
            with batch():
                when(cown)(lambda cown: append(cown, "abandoned"))
                raise KeyError
        except KeyError:
            pass

    @when(abandons)
    def schedules(_abandons):
        when(cown)(lambda cown: append(cown, "scheduled"))

    quiesce()
    assert cown.result() == ["scheduled"]


def test_an_exception_in_a_batch_of_a_behavior() -> None:
    cown = Cown([])

    @when(cown)
    def outer(cown):
        with batch():
            when(cown)(lambda cown: append(cown, 1))
            raise LookupError("outer")

    with pytest.raises(LookupError, match="outer"):
        outer.result()
    quiesce()
    assert cown.result() == []


def test_waiting_inside_an_open_batch() -> None:
    """It would wait for what only the end of the block schedules."""
    cown = Cown(1)
    with batch():
        member = when(cown)(lambda cown: cown.value)
        for attempt in (member.result, bocpy.wait, quiesce):
            assert caught(attempt)[0] == "RuntimeError", attempt
            assert caught(attempt, timeout=SHORT)[0] == "RuntimeError", attempt
    assert member.result() == 1


def test_a_batch_that_is_never_left() -> None:
    lost = batch()
    lost.__enter__()
    member = when()(lambda: "ran")
    del lost
    gc.collect()
    with pytest.raises(CancelledError):
        member.result()
    assert when()(lambda: "after").result() == "after"


def test_a_batch_ends_where_it_began() -> None:
    opened = batch()
    opened.__enter__()
    member = when()(lambda: "ran")
    assert run_threads(lambda: caught(opened.__exit__, None, None, None)[0]) == ["RuntimeError"]
    opened.__exit__(None, None, None)
    assert member.result() == "ran"


def test_a_batch_that_a_behavior_never_leaves(two_workers: None) -> None:
    cown = Cown(1)

    @when(cown)
    def forgets(cown):
        batch().__enter__()
        when(cown)(lambda cown: None)

    forgets.result()
    assert when(cown)(lambda cown: cown.value).result() == 1


@pytest.mark.backend("threads", reason="elsewhere an open batch cannot leave the interpreter of its behavior")
def test_a_batch_that_outlives_the_behavior_that_opened_it() -> None:
    start(1)
    kept = Cown([])

    @when(kept)
    def forgets(kept):
        opened = batch()
        opened.__enter__()
        kept.value += [opened, when()(lambda: "never")]

    forgets.result()
    # The worker is not in that batch any more.
    inner = when()(lambda: when()(lambda: "ran")).result()
    assert inner.result(timeout=DEADLINE) == "ran"
    opened, member = kept.result(take=True)
    with pytest.raises(CancelledError):
        member.result(timeout=DEADLINE)
    with pytest.raises(RuntimeError, match="has ended without leaving it"):
        opened.__exit__(None, None, None)


def test_a_batch_can_be_used_again() -> None:
    cown = Cown([])
    for i in range(3):
        with batch():
            whencall(append, [cown], [i])
    assert cown.result() == [0, 1, 2]


def test_cancelled_error_is_the_one_of_concurrent_futures_too() -> None:
    assert issubclass(CancelledError, concurrent.futures.CancelledError)
    assert CancelledError.__module__ == "bocpy"
