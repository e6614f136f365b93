"""Pinned cowns: their values stay on the main thread, and behaviors that hold one run there."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import bocpy
import pytest
from boc_testing import DEADLINE, Gate, caught, output_of, run_threads
from bocpy import Cown, PinnedCown, TransferError, batch, hold, quiesce, read, scope, wait, when, whencall

FREE_THREADED = bool(getattr(sys, "_is_gil_enabled", None)) and not sys._is_gil_enabled()


class Canvas:
    """Something that can be neither copied nor carried."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.drawn: list[Any] = []


def on_main() -> bool:
    return threading.current_thread() is threading.main_thread()


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


def test_a_behavior_that_holds_one_runs_on_the_main_thread_with_the_object_itself() -> None:
    canvas = Canvas()
    pinned = PinnedCown(canvas)

    @when(pinned)
    def draw(pinned: PinnedCown[Canvas]) -> tuple[bool, bool]:
        pinned.value.drawn.append(1)
        return on_main(), pinned.value is canvas

    assert draw.result(DEADLINE) == (True, True)
    assert canvas.drawn == [1]


def test_a_captured_one_does_not_pin() -> None:
    pinned = PinnedCown(Canvas())

    @when()
    def elsewhere(pinned: PinnedCown[Canvas] = pinned) -> tuple[bool, str, str]:
        return isinstance(pinned, PinnedCown), *caught(lambda: pinned.value)

    is_pinned, kind, message = elsewhere.result(DEADLINE)
    assert is_pinned
    assert kind == "RuntimeError"
    assert "main interpreter" in message


def test_the_programs_of_the_original_description_work() -> None:
    canvas = PinnedCown(Canvas())

    def compute(i: int) -> Cown[int]:
        @when()
        def square() -> int:
            return i * i

        return square

    results = [compute(i) for i in range(20)]

    @when(*results, canvas)
    def _writeback(*args: Any) -> None:
        *cells, canvas = args
        for cell in cells:
            canvas.value.drawn.append(cell.value)

    quiesce(DEADLINE)
    assert canvas.value.drawn == [i * i for i in range(20)]


def test_ordinary_cowns_come_to_main_and_go_back() -> None:
    pinned = PinnedCown(Canvas())
    numbers = Cown([0])
    for _ in range(5):

        @when(numbers)
        def on_a_worker(numbers: Cown[list[int]]) -> None:
            numbers.value.append(numbers.value[-1] + 1)

        @when(numbers, pinned)
        def on_main_thread(numbers: Cown[list[int]], pinned: PinnedCown[Canvas]) -> None:
            numbers.value.append(numbers.value[-1] + 1)
            pinned.value.drawn.append(list(numbers.value))

    assert numbers.result(DEADLINE) == list(range(11))
    assert pinned.value.drawn[-1] == list(range(11))


def test_what_is_assigned_stays_the_same_object_until_the_behavior_ends() -> None:
    pinned = PinnedCown(Canvas())
    cown: Cown[Any] = Cown(None)

    @when(pinned, cown)
    def assign(pinned: PinnedCown[Canvas], cown: Cown[Any]) -> bool:
        mine: list[int] = []
        cown.value = mine
        mine.append(1)
        return cown.value is mine

    @when(cown)
    def look(cown: Cown[Any]) -> Any:
        return cown.value

    assert assign.result(DEADLINE) is True
    assert look.result(DEADLINE) == [1]


def test_what_cannot_be_carried_stays_usable_on_main() -> None:
    pinned = PinnedCown(Canvas())
    cown: Cown[Any] = Cown(None)

    @when(pinned, cown)
    def leave_a_lock(pinned: PinnedCown[Canvas], cown: Cown[Any]) -> Any:
        cown.value = threading.Lock()
        return threading.Lock()

    @when(cown)
    def use(cown: Cown[Any]) -> bool:
        return cown.value.acquire(False)

    @when(cown, leave_a_lock, pinned)
    def use_on_main(cown: Cown[Any], lock: Cown[Any], pinned: PinnedCown[Canvas]) -> bool:
        return cown.value.acquire(False) and lock.value.acquire(False)

    quiesce(DEADLINE)
    kind, _ = caught(use.result)
    if bocpy.backend() == "subinterp":
        assert kind == "TransferError"
        assert use_on_main.result() is True
    else:
        assert kind == ""


def test_readers_of_ordinary_cowns_share_them_with_workers() -> None:
    pinned = PinnedCown([])
    table = Cown({"a": 1})

    @when(read(table), pinned)
    def first(table: Cown[dict[str, int]], pinned: PinnedCown[list[int]]) -> int:
        kind, _ = caught(setattr, table, "value", {})
        assert kind == "RuntimeError"
        return table.value["a"]

    @when(read(table))
    def second(table: Cown[dict[str, int]]) -> int:
        return table.value["a"]

    assert (first.result(DEADLINE), second.result(DEADLINE)) == (1, 1)
    assert table.result(DEADLINE) == {"a": 1}


def test_a_pinned_one_can_be_read() -> None:
    pinned = PinnedCown([1])

    @when(read(pinned))
    def look(pinned: PinnedCown[list[int]]) -> tuple[int, str]:
        return pinned.value[0], caught(setattr, pinned, "value", [])[0]

    assert look.result(DEADLINE) == (1, "RuntimeError")


def test_groups_and_doubles() -> None:
    pinned = PinnedCown([1])
    plain = Cown([2])

    @when([plain, pinned], pinned)
    def both(group: list[Cown[list[int]]], again: PinnedCown[list[int]]) -> tuple[bool, int]:
        return group[1].value is again.value, group[0].value[0]

    assert both.result(DEADLINE) == (True, 2)
    assert whencall(lambda a, b, c: (on_main(), c), [pinned, plain], (7,)).result(DEADLINE) == (True, 7)


def test_captures_scheduled_on_main_are_the_objects_themselves() -> None:
    pinned = PinnedCown(None)
    lock = threading.Lock()
    found: list[bool] = []

    @when(pinned)
    def use(_: PinnedCown[None], default: Any = lock, *, keyword: Any = lock) -> None:
        found.append(default is lock and keyword is lock)

    quiesce(DEADLINE)
    assert found == [True]  # a closure's list, too
    whencall(lambda _, given: found.append(given is lock), [pinned], (lock,)).result(DEADLINE)
    assert found == [True, True]


def test_bindings_are_those_of_the_moment_of_when() -> None:
    pinned = PinnedCown([])
    for i in range(3):

        @when(pinned)
        def note(pinned: PinnedCown[list[int]]) -> None:
            pinned.value.append(i)  # noqa: B023

    quiesce(DEADLINE)
    assert pinned.value == [0, 1, 2]


def test_captured_objects_go_with_the_behavior() -> None:
    pinned = PinnedCown(None)
    canvas = Canvas()
    gone = weakref.ref(canvas)

    @when(pinned)
    def use(_: PinnedCown[None]) -> int:
        return len(canvas.drawn)  # noqa: F821

    assert use.result(DEADLINE) == 0
    del canvas
    gc.collect()
    assert gone() is None


def test_captures_scheduled_by_a_worker_are_copies() -> None:
    pinned = PinnedCown([])

    @when()
    def on_a_worker() -> Cown[bool]:
        mine = [1]

        @when(pinned)
        def note(pinned: PinnedCown[list[Any]]) -> bool:
            mine.append(2)
            pinned.value.append(mine)
            return on_main()

        mine.append(3)
        return note

    assert on_a_worker.result(DEADLINE).result(DEADLINE) is True
    assert pinned.value == [[1, 2]]


def test_a_worker_cannot_capture_what_cannot_be_copied() -> None:
    pinned = PinnedCown([])

    @when()
    def on_a_worker() -> tuple[str, str]:
        lock = threading.Lock()

        def schedule() -> None:
            @when(pinned)
            def note(pinned: PinnedCown[list[Any]]) -> None:
                lock.acquire()

        return caught(schedule)

    kind, message = on_a_worker.result(DEADLINE)
    assert kind == "TransferError"
    assert "lock" in message


def test_another_thread_schedules_copies_and_waits_for_main() -> None:
    pinned = PinnedCown([])
    lock = threading.Lock()

    def elsewhere() -> tuple[str, bool]:
        mine = [1]

        @when(pinned)
        def note(pinned: PinnedCown[list[Any]]) -> bool:
            pinned.value.append(mine)
            return on_main()

        mine.append(2)

        def refused() -> None:
            @when(pinned)
            def use(pinned: PinnedCown[list[Any]]) -> None:
                lock.acquire()

        return caught(refused)[0], note.result(DEADLINE)

    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(elsewhere()))
    thread.start()
    while thread.is_alive():
        quiesce(DEADLINE)
    thread.join()
    assert outcome == [("TransferError", True)]
    assert pinned.value == [[1]]


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


def test_failures_stay_in_the_result() -> None:
    pinned = PinnedCown([])

    @when(pinned)
    def fail(pinned: PinnedCown[list[int]]) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail.result(DEADLINE)

    @when(fail)
    def see(fail: Cown[Any]) -> tuple[bool, str]:
        return fail.exception, type(fail.value).__name__

    assert see.result(DEADLINE) == (True, "ValueError")


def test_an_unseen_failure_is_reported(unraisable: list[str]) -> None:
    pinned = PinnedCown([])

    @when(pinned)
    def fail(pinned: PinnedCown[list[int]]) -> None:
        raise ValueError("nobody looks")

    del fail
    wait(DEADLINE)
    assert len(unraisable) == 1
    assert "nobody looks" in unraisable[0]


def test_waits_inside_are_refused() -> None:
    pinned = PinnedCown([])

    @when(pinned)
    def ask(pinned: PinnedCown[list[int]]) -> list[str]:
        cown = Cown(1)
        return [caught(f)[0] for f in (quiesce, wait, cown.result, cown.acquire, pinned.result)]

    assert ask.result(DEADLINE) == ["RuntimeError"] * 5


def test_scopes_and_batches_of_main_are_not_those_of_the_behavior() -> None:
    pinned = PinnedCown([])
    with scope() as outer, batch():

        @when(pinned)
        def first(pinned: PinnedCown[list[int]]) -> None:
            pinned.value.append(1)

            @when(pinned)
            def nested(pinned: PinnedCown[list[int]]) -> None:
                pinned.value.append(2)

        @when(pinned)
        def second(pinned: PinnedCown[list[int]]) -> None:
            with scope():  # left open by what follows
                pinned.value.append(3)

    assert pinned.value == [1, 3, 2]
    assert caught(outer.when)[0] in ("", "RuntimeError")
    with pytest.raises(BaseException) as failed, scope():

        @when(pinned)
        def fail(pinned: PinnedCown[list[int]]) -> None:
            raise ValueError

    assert type(failed.value).__name__ == "ExceptionGroup"


def test_a_cancelled_scope_drops_them() -> None:
    pinned = PinnedCown([])
    with pytest.raises(KeyError), scope():

        @when(pinned)
        def never(pinned: PinnedCown[list[int]]) -> None:
            pinned.value.append(1)

        raise KeyError
    assert pinned.value == []
    assert caught(never.result, DEADLINE)[0] == "CancelledError"


def again(pinned: PinnedCown[list[int]], stop: Cown[bool]) -> None:
    pinned.value[0] += 1
    if not stop.value:
        whencall(again, [pinned, stop])


def test_waits_end_in_the_midst_of_endless_pinned_work() -> None:
    pinned = PinnedCown([0])
    stop = Cown(False)
    whencall(again, [pinned, stop])

    @when()
    def other() -> int:
        return 5

    assert other.result(DEADLINE) == 5
    with pytest.raises(TimeoutError):
        quiesce(0.05)
    with stop:
        stop.value = True
    quiesce(DEADLINE)
    assert pinned.value[0] > 1


def test_a_wait_on_main_wakes_when_pinned_work_arrives(gate: Gate) -> None:
    """With the main thread asleep in result(), with, hold and scope exits."""
    pinned = PinnedCown([])

    def work(gate: Gate) -> Cown[Any]:
        cown = Cown(0)

        @when(cown)
        def slow(cown: Cown[int]) -> None:
            gate.pass_through()

        @when(cown, pinned)
        def then(cown: Cown[int], pinned: PinnedCown[list[int]]) -> int:
            pinned.value.append(1)
            return 1

        return then

    opener = threading.Timer(0.05, gate.open)
    opener.start()
    assert work(gate).result(DEADLINE) == 1
    with work(gate) as value:
        assert value == 1
    with hold(work(gate), timeout=DEADLINE):
        pass
    with scope():
        work(gate)
    opener.join()
    assert len(pinned.value) == 4


def test_output_of_workers_comes_before_that_of_the_pinned_behavior(capsys: pytest.CaptureFixture[str]) -> None:
    pinned = PinnedCown([])
    cown = Cown(0)

    @when(cown)
    def first(cown: Cown[int]) -> None:
        print("first")

    @when(cown, pinned)
    def second(cown: Cown[int], pinned: PinnedCown[list[int]]) -> None:
        print("second")

    @when(cown)
    def third(cown: Cown[int]) -> None:
        print("third")

    wait(DEADLINE)
    assert capsys.readouterr().out == "first\nsecond\nthird\n"


def test_scripts_with_pinned_behaviors_scheduled_by_workers() -> None:
    assert (
        output_of(
            """
            import threading
            from bocpy import Cown, PinnedCown, wait, when

            class Point:
                def __init__(self, x): self.x = x

            FACTOR = 3
            def scale(p): return Point(p.x * FACTOR)

            shown = PinnedCown([])
            points = Cown([Point(1), Point(2)])

            @when(points)
            def work(points):
                moved = [scale(p) for p in points.value]
                @when(shown)
                def show(shown):
                    assert threading.current_thread() is threading.main_thread()
                    assert type(moved[0]) is Point, type(moved[0])
                    shown.value.extend(scale(p).x for p in moved)

            wait()
            print(shown.value)
            """.replace("\n            ", "\n")
        )
        == "[9, 18]\n"
    )


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
