"""One object used by several threads at once: cowns after `wait()`, scopes, batches and holds."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from boc_testing import DEADLINE, caught, run_threads
from bocpy import Cown, TransferError, batch, hold, read, scope, start, wait, when
from payload_testing import MOVING, filled_by_a_behavior


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture
def open_access() -> None:
    """Be in the time from the return of `wait()` to the next `@when`, in which every thread may use every value."""
    start()
    wait()


# cowns after wait() ---------------------------------------------------------------------------------------------------


def test_values_are_read_and_replaced_by_all(open_access: None, hasty_threads: None) -> None:
    cown = Cown([0, 0])

    def write():
        for i in range(3000):
            cown.value = [i, i]

    def look():
        for _ in range(3000):
            first, second = cown.value
            assert first == second

    def copy():
        for _ in range(300):
            first, second = cown.result()
            assert first == second

    run_threads(write, look, write, look, copy)
    assert cown.value[0] == cown.value[1]


def test_a_value_taken_out_is_taken_once(open_access: None, hasty_threads: None) -> None:
    cown = Cown(None)
    taken = []

    def give():
        for i in range(1000):
            cown.value = [i]
            cown.unwrap()

    def take():
        for _ in range(1000):
            value = cown.result(take=True)
            if value is not None:
                taken.append(value[0])

    run_threads(lambda: caught(give), take, take)
    assert len(taken) == len(set(taken))


def test_a_value_that_another_thread_holds_is_not_replaced(open_access: None) -> None:
    cown = Cown("mine")
    held, done = threading.Event(), threading.Event()

    def keep():
        with cown as value:
            held.set()
            done.wait(DEADLINE)
            assert (value, cown.value) == ("mine", "mine")

    def other():
        held.wait(DEADLINE)
        try:
            with pytest.raises(RuntimeError, match="another thread or a behavior holds the cown"):
                cown.value = "yours"
            with pytest.raises(RuntimeError, match="another thread or a behavior holds the cown"):
                cown.exception = False
        finally:
            done.set()

    run_threads(keep, other)
    assert cown.result() == "mine"


class Slow:
    """In the main interpreter it takes its time to be pickled, or to be made again, while it is told to."""

    pickled, made = threading.Event(), threading.Event()  # it has begun
    go_on = threading.Event()

    def __init__(self, which: str) -> None:
        self.which = which

    def __reduce__(self):
        if self.which == "pickled":
            Slow.pickled.set()
            Slow.go_on.wait(DEADLINE)
        return (make_slow, (self.which,))


def make_slow(which: str) -> Slow:
    if which == "made":
        Slow.made.set()
        Slow.go_on.wait(DEADLINE)
    return Slow(which)


@pytest.fixture
def slow() -> Iterator[type[Slow]]:
    """Slow, told to take its time."""
    for event in (Slow.pickled, Slow.made, Slow.go_on):
        event.clear()
    yield Slow
    Slow.go_on.set()


def unhurried(which: str) -> Slow:
    """One that does not take its time in the interpreter of this call, which need not be the main one."""
    Slow.go_on.set()
    return Slow(which)


def slow_cown(which: str) -> Cown:
    """In the time after wait(). The next one that is pickled, or made again, in main takes its time."""
    cown = filled_by_a_behavior(unhurried, which)
    Slow.go_on.clear()
    return cown


def test_a_value_assigned_while_another_thread_looks_stays(slow: type[Slow]) -> None:
    cown = slow_cown("made")
    seen = []

    def look():
        seen.append(cown.value)

    def assign():
        if MOVING:
            assert slow.made.wait(DEADLINE)
        threading.Timer(0.1, slow.go_on.set).start()
        cown.value = "new"

    run_threads(look, assign)
    assert cown.value == "new"
    assert seen == ["new"] or seen[0].which == "made"


def scheduled_while_a_thread_copies(cown: Cown, schedule: Callable[[Cown], Cown]) -> Cown:
    """What is scheduled, and ends the window, while another thread copies the value that this one has looked at."""
    Slow.go_on.set()
    assert cown.value.which == "pickled"
    Slow.go_on.clear()
    Slow.pickled.clear()
    scheduled = []

    def copy():
        assert cown.result(DEADLINE).which == "pickled"

    def end_window():
        assert Slow.pickled.wait(DEADLINE)
        scheduled.append(schedule(cown))
        Slow.go_on.set()

    run_threads(copy, end_window)
    return scheduled[0]


def test_the_window_ends_while_a_thread_copies_what_was_looked_at(slow: type[Slow]) -> None:
    """The value is in the main interpreter, and nobody can make it ready for workers just then: they get it there."""
    cown = slow_cown("pickled")
    result = scheduled_while_a_thread_copies(cown, lambda cown: when(cown)(lambda cown: cown.value.which))
    assert result.result(DEADLINE) == "pickled"


def test_a_value_that_workers_read_in_main_may_be_changed_there_again(slow: type[Slow]) -> None:
    cown = slow_cown("pickled")
    result = scheduled_while_a_thread_copies(cown, lambda cown: when(read(cown))(lambda cown: cown.value.which))
    assert result.result(DEADLINE) == "pickled"
    wait()
    cown.value.which = "changed"
    assert when(read(cown))(lambda cown: cown.value.which).result(DEADLINE) == "changed"
    assert when(cown)(lambda cown: cown.value.which).result(DEADLINE) == "changed"


def test_a_look_does_not_wait_for_itself() -> None:
    """What makes the value anew runs while the thread has its turn."""
    cown = Nosy.cown = filled_by_a_behavior(Nosy)
    try:
        seen = cown.value
    except TransferError as error:
        seen = error
    finally:
        Nosy.cown = None
    if MOVING:
        assert "wait" in str(seen), seen
    else:
        assert isinstance(seen, Nosy)
    assert isinstance(cown.value, Nosy)


class Nosy:
    """In main it asks for the value of a cown when it is made anew."""

    cown: Cown | None = None

    def __reduce__(self):
        return (make_nosy, ())


def make_nosy() -> Nosy:
    if Nosy.cown is not None:
        Nosy.cown.result()
    return Nosy()


# scopes ---------------------------------------------------------------------------------------------------------------


def test_scheduling_in_a_scope_while_it_ends(hasty_threads: None) -> None:
    cown = Cown(0)
    accepted = []

    def bump(cown):
        cown.value += 1

    for _ in range(60):
        ending = scope()
        begun = threading.Event()

        def schedule(ending=ending, begun=begun):
            # Until the scope has ended. Not for ever: workers that fall behind would never let it end.
            try:
                for _ in range(20_000):
                    accepted.append(ending.when(cown)(bump))
                    begun.set()
            except RuntimeError as refused:
                assert "has ended" in str(refused)

        with ending:
            threads = [threading.Thread(target=schedule) for _ in range(2)]
            for thread in threads:
                thread.start()
            assert begun.wait(DEADLINE)
        for thread in threads:
            thread.join(DEADLINE)
        with pytest.raises(RuntimeError, match="has ended"):
            ending.when(cown)(bump)
    assert cown.result(timeout=DEADLINE) == len(accepted)


def test_done_of_a_scope_is_one_cown_for_all(hasty_threads: None) -> None:
    for _ in range(60):
        with scope() as ending:
            first, *others = run_threads(*[lambda ending=ending: ending.done] * 4)
            assert all(other == first for other in others)
        assert first.result(timeout=DEADLINE) is None


def test_a_scope_is_entered_once(hasty_threads: None) -> None:
    for _ in range(100):
        shared = scope()

        def enter(shared=shared):
            with shared:
                return when()(lambda: 1).result(timeout=DEADLINE)

        outcomes = run_threads(*[lambda enter=enter: caught(enter)] * 3)
        assert sorted(kind for kind, _ in outcomes) == ["", "RuntimeError", "RuntimeError"]


def test_a_scope_ends_in_its_thread() -> None:
    with scope() as shared:
        (outcome,) = run_threads(lambda: caught(shared.__exit__, None, None, None))
        assert outcome == ("RuntimeError", "a scope ends in the thread that entered it")
        result = when()(lambda: 1)
    assert result.result(timeout=0) == 1


# batches --------------------------------------------------------------------------------------------------------------


def test_a_batch_is_entered_by_one_thread_at_a_time(hasty_threads: None) -> None:
    results = []

    def use(shared):
        with shared:
            results.append(when()(lambda: 1))

    for _ in range(60):
        shared = batch()
        for kind, message in run_threads(*[lambda shared=shared: caught(use, shared)] * 3):
            assert not kind or "is entered already" in message
    assert {result.result(timeout=DEADLINE) for result in results} == {1}


# holds ----------------------------------------------------------------------------------------------------------------


def test_a_hold_is_entered_by_one_thread_at_a_time(hasty_threads: None) -> None:
    cown = Cown(0)
    entered = []

    def use(shared):
        with shared:
            cown.value += 1
            entered.append(1)

    for _ in range(60):
        shared = hold(cown)
        for kind, message in run_threads(*[lambda shared=shared: caught(use, shared)] * 3):
            assert not kind or "is entered already" in message
    assert cown.result(timeout=DEADLINE) == len(entered)


def test_a_hold_ends_in_its_thread() -> None:
    cown = Cown(1)
    shared = hold(cown)
    with shared:
        (outcome,) = run_threads(lambda: caught(shared.__exit__, None, None, None))
        assert outcome == ("RuntimeError", "this thread has not entered this hold()")
        assert cown.acquired
    assert cown.result(timeout=DEADLINE) == 1
