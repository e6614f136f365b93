"""Behaviors that hold a pinned cown: they run on the main thread, with ordinary cowns or alone."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import bocpy
from boc_testing import DEADLINE, caught, output_of
from bocpy import Cown, PinnedCown, quiesce, read, when, whencall
from pinned_testing import Canvas, on_main


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


class Told:
    """Tells where it goes."""

    def __init__(self, where: list[bool]) -> None:
        self.where = where

    def __del__(self) -> None:
        self.where.append(on_main())


named: Told | None = None


def test_what_a_pinned_behavior_names_goes_on_the_main_thread() -> None:
    """It was taken by reference: nothing keeps it for the next behavior, which another thread may schedule or end."""
    global named
    pinned = PinnedCown(Canvas())
    where: list[bool] = []

    def schedule() -> Cown[bool]:
        @when(pinned)
        def use(pinned: PinnedCown[Canvas]) -> bool:
            return named.where == []

        return use

    for turn in range(1, 4):
        named = Told(where)
        assert schedule().result(DEADLINE) == (turn == 1)
        named = None
        thread = threading.Thread(target=bocpy.wait)
        thread.start()
        while thread.is_alive():
            thread.join(0.01)
        gc.collect()
        assert where == [True] * turn
