"""Matrices in cowns, captures and results: whose memory is where."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from boc_testing import DEADLINE, Gate, run_python, run_threads
from bocpy import Cown, Matrix, TransferError, read, start, wait, when, whencall
from matrix_testing import HOLDERS, Record, Turning, address_of, find
from payload_testing import MOVING, anchors, beside, elsewhere, here

HOLDER = pytest.mark.parametrize("holder", HOLDERS)
SIZE = pytest.mark.parametrize("side", [1, 3, 200])


@HOLDER
@SIZE
def test_between_two_workers_nothing_is_copied(holder: str, side: int, two_workers: None, gate: Gate) -> None:
    a, b = anchors(gate)
    cown = Cown(None)

    @beside(a, cown)
    def make(cown):
        m = Matrix(side, side, range(side * side))
        cown.value = HOLDERS[holder](m)
        return address_of(m), here()

    where, worker = make.result()

    @beside(b, cown)
    def change(cown):
        m = find(cown.value)
        m.x = -7
        return address_of(m), elsewhere(worker), m.size

    assert change.result() == (where, True, side * side)

    @beside(a, cown)
    def look(cown):
        m = find(cown.value)
        return address_of(m), m.x, list(m.values())[1:]

    assert look.result() == (where, -7.0, [float(x) for x in range(1, side * side)])


@HOLDER
def test_between_main_and_workers_nothing_is_copied(holder: str) -> None:
    m = Matrix(50, 40, 1)
    where = address_of(m)
    cown = Cown(HOLDERS[holder](m))
    del m

    @when(cown)
    def change(cown):
        m = find(cown.value)
        m += 1
        return address_of(m)

    assert change.result() == where
    with cown as value:
        assert address_of(find(value)) == where
        find(value).x = 5
    assert find(cown.result(take=True)).sum() == 2 * 1999 + 5


@HOLDER
def test_a_look_after_wait_copies_nothing(holder: str) -> None:
    hold = HOLDERS[holder]
    cown = Cown(None)

    @when(cown)
    def make(cown):
        cown.value = hold(Matrix(300, 300, 1.5))
        return address_of(find(cown.value))

    wait()
    assert address_of(find(cown.value)) == make.value


@HOLDER
def test_what_goes_along_is_not_copied(holder: str, two_workers: None, gate: Gate) -> None:
    """The behaviors are queued before the first one runs, so each sends its value to the next."""
    hold = HOLDERS[holder]
    places = anchors(gate)
    cown = Cown(hold(Matrix(300, 300, 1.5)))
    with cown:
        seen = [beside(places[i % 2], cown)(lambda cown: address_of(find(cown.value))) for i in range(10)]
    assert len({address.result() for address in seen}) == 1


def test_aliases_stay_aliases(two_workers: None, gate: Gate) -> None:
    a, b = anchors(gate)
    cown = Cown(None)
    for make in (lambda m: [m, m, {"m": m}], lambda m: [m, HOLDERS["object"](m), {"m": m}]):

        @beside(a, cown)
        def fill(cown, make=make):
            cown.value = make(Matrix(2, 2))

        @beside(b, cown)
        def look(cown):
            first, second, third = cown.value
            third["m"].w = 3
            grid = second if isinstance(second, Matrix) else second.again[0]
            return first is third["m"], grid is first, first.w

        assert look.result() == (True, True, 3.0)


def test_results_and_copies_are_the_receivers_own() -> None:
    cown = Cown(Matrix(3, 3, 1))
    first, second = cown.result(), cown.result()
    assert address_of(first) != address_of(second)
    first += 1

    @when(cown)
    def look(cown):
        return cown.value.sum()

    assert (look.result(), second.sum()) == (9.0, 9.0)


def test_what_is_another_cowns_value_is_copied() -> None:
    cown = Cown(Matrix(2, 2, 1))

    @when(cown)
    def give(cown):
        return cown.value

    @when(give, cown)
    def change(given, cown):
        given.value += 5
        return address_of(given.value) != address_of(cown.value), cown.value.x

    assert change.result() == (True, 1.0)


@pytest.mark.parametrize("side", [2, 100])
def test_captures_are_copies(side: int) -> None:
    m = Matrix(side, side, 1)
    nest = {"m": m, "record": Record("r", m)}
    free = Cown(None)
    with free:

        @when(free)
        def look(_, given=m):
            given += 1
            return given.sum(), m.sum(), nest["m"].sum(), nest["record"].grid is nest["m"]

        m *= 100
    size = float(side * side)
    # One copy for all: what two captures share stays shared.
    assert look.result() == (2 * size, 2 * size, 2 * size, True)
    assert m.sum() == 100 * size


def test_large_captures_warn_once() -> None:
    m = Matrix(400, 400)
    free = Cown(None)
    with pytest.warns(RuntimeWarning, match="copied for each behavior: 1 MB"):

        @when(free)
        def look(_, given=m):
            return given.size

    assert look.result() == 160_000


def test_readers_have_what_was_there(gate: Gate) -> None:
    start(4)
    cown = Cown(Matrix(20, 20, range(400)))
    sums = []
    for _ in range(20):

        @when(read(cown))
        def look(cown):
            return cown.value.sum(), cown.value.view[19].x

        sums.append(look)

    @when(cown)
    def change(cown):
        cown.value *= 0

    assert {one.result() for one in sums} == {(79800.0, 380.0)}
    assert cown.result().sum() == 0


def test_a_readers_worker_keeps_its_own(two_workers: None, gate: Gate) -> None:
    a, b = anchors(gate)
    cown = Cown(None)

    @beside(a, cown)
    def make(cown):
        cown.value = Matrix(3, 3, 1)

    for expected in (9.0, 18.0, 36.0):

        @beside(b, read(cown))
        def look(cown):
            return cown.value.sum()

        @beside(a, cown)
        def double(cown):
            cown.value += cown.value.copy()

        assert look.result() == expected
        double.result()


def test_an_exported_buffer_stays_with_whoever_has_it(two_workers: None, gate: Gate) -> None:
    """The receiver gets a copy: on sub-interpreters, where the memory would else be in two hands."""
    a, b = anchors(gate)
    cown, keeper = Cown(None), Cown(None)

    @beside(a, cown, keeper)
    def make(cown, keeper):
        m = Matrix(4, 4, 1)
        keeper.value = [memoryview(m), threading.Lock()]  # a lock: it stays here
        cown.value = [m]
        return address_of(m)

    where = make.result()

    @beside(b, cown)
    def change(cown):
        cown.value[0].x = 50
        return address_of(cown.value[0])

    moved = change.result()

    @beside(a, keeper)
    def look(keeper):
        memory = keeper.value[0]
        first = memory[0, 0]
        memory.release()
        return first

    assert (look.result(), moved == where) == ((1.0, False) if MOVING else (50.0, True))


@pytest.mark.backend("subinterp", reason="on threads everything may be given to a cown")
def test_what_cannot_be_given_stays_whole() -> None:
    m = Matrix(30, 30, 1)
    for refused in ([m, threading.Lock()], {"m": m, "lock": threading.Lock()}, [m, m.view[0]]):
        with pytest.raises(TransferError):
            Cown(refused)
    cown = Cown(5)
    with pytest.raises(TransferError), cown:
        cown.value = [m, threading.Lock()]
    m += 1
    assert m.sum() == 1800.0
    with cown:
        cown.value = None


def test_a_released_buffer_is_forgotten(two_workers: None, gate: Gate) -> None:
    a, b = anchors(gate)
    cown = Cown(None)

    @beside(a, cown)
    def make(cown):
        m = Matrix(4, 4, 1)
        with memoryview(m) as memory:
            memory[0, 0] = 9.0
        cown.value = m
        return address_of(m)

    @beside(b, cown)
    def look(cown):
        return address_of(cown.value), cown.value.x

    assert look.result() == (make.result(), 9.0)


def test_views_are_not_sent() -> None:
    m = Matrix(2, 2)
    free = Cown(None)
    for given in (m.view[0], [m.view[0]], {"record": Record("r", m.view[0])}):
        with pytest.raises(TransferError) as refused:
            whencall(lambda _, given: None, [free], [given])
        assert "copy()" in str(refused.value.__cause__)
    assert free.result() is None


def test_a_view_that_is_given_away_stays_good_where_it_is() -> None:
    start(1)
    cown = Cown(None)

    @when(cown)
    def make(cown):
        cown.value = Matrix(2, 2, [1, 2, 3, 4]).view[1]

    @when(cown)
    def look(cown):
        gc.collect()
        return list(cown.value), cown.value.copy()

    values, copied = look.result()
    assert (values, copied.shape) == ([3.0, 4.0], (1, 2))
    if MOVING:
        with pytest.raises(TransferError, match="MatrixView"):
            cown.result()

    @when(cown)
    def clear(cown):
        cown.value = None

    clear.result()


SCRIPT = """\
from bocpy import Cown, Matrix, when
grid = Matrix(2, 2, [1, 2, 3, 4])
cown = Cown(Matrix(2, 2, 1))
for step in range(3):
    @when(cown)
    def add(c):
        c.value += grid
    add.result()
    grid *= 10
print(list(cown.result().values()))
"""


def test_globals_of_a_script() -> None:
    assert run_python(SCRIPT).stdout.strip() == "[112.0, 223.0, 334.0, 445.0]"


def test_the_same_numbers_whatever_the_workers() -> None:
    def run(workers: int) -> list[float]:
        start(workers)
        cells = [Cown(Matrix(6, 6, 1 / (i + 3))) for i in range(5)]
        for step in range(40):

            @when(cells[step % 5], cells[(step * 2 + 1) % 5])
            def mix(*both):
                a, b = both[0].value, both[-1].value
                Matrix.seed(17)
                both[0].value = ((a @ b.T) * 0.1 + Matrix.uniform(size=(6, 6)) + Matrix.normal()).normalize(1)

        wait()
        return [x for cell in cells for x in cell.value.values()]

    expected = run(1)
    assert run(2) == expected
    assert run(5) == expected


def test_threads_have_random_numbers_of_their_own() -> None:
    Matrix.seed(5)
    expected = [Matrix.uniform() for _ in range(4)]
    Matrix.seed(5)
    got = [Matrix.uniform(), Matrix.uniform()]
    seen: list[float] = []

    def other() -> None:
        Matrix.seed(6)
        seen.extend(Matrix.uniform() for _ in range(100))

    run_threads(other)
    got += [Matrix.uniform(), Matrix.uniform()]
    assert got == expected
    assert len(set(seen)) == 100


def test_large_operations_let_others_run() -> None:
    """With a GIL, a thread within one product of large matrices does not keep others from running.

    Between two steps of its own it gives the GIL away in any case, which explains two ticks, but no more.
    """
    a = Matrix(1000, 1000, 0.5)
    within, enough = threading.Event(), threading.Event()

    def multiply() -> None:
        while not enough.is_set():
            within.set()
            a @ a
            within.clear()

    worker = threading.Thread(target=multiply)
    worker.start()
    end = time.monotonic() + DEADLINE
    while not enough.is_set() and time.monotonic() < end:
        assert within.wait(DEADLINE)
        ticks = 0
        while within.is_set():
            time.sleep(0.0001)
            ticks += 1
            if ticks > 4:
                enough.set()
                break
    seen = enough.is_set()
    enough.set()
    worker.join(DEADLINE)
    assert seen
    assert (a @ a)[0, 0] == 250.0


def test_whoever_errs_gets_no_crash() -> None:
    """Two threads that change one matrix at the same time are an error in the program, but only that."""
    shared = Matrix(60, 61, 1)
    stop = threading.Event()

    def turn() -> None:
        for _ in range(60):
            shared.transpose(in_place=True)
        stop.set()

    def use() -> None:
        while not stop.is_set():
            try:
                view = shared.view[-1]
                shared.view[:, -1][::-1]
                _ = (shared @ shared.T, shared + 1, shared.sum(0), shared[0], shared[:, [0, -1]], view[-1])
                shared.take([59, -1])
                shared.put([0], 3.0, 1)
                shared.topk(3, 1)
                shared.digitize(shared.view[0].copy())
                sum(len(row) for row in shared)
            except (ValueError, IndexError):
                pass

    run_threads(turn, use, use)
    assert sorted(shared.shape) == [60, 61]


TURNING_USES: list[Callable[[Matrix, Any], Any]] = [
    lambda m, t: m[[t, t]],
    lambda m, t: m.take([0, t]),
    lambda m, t: m.put([t], 1.0),
    lambda m, t: m[t, t],
    lambda m, t: m.take_along_axis([t, 0]),
    lambda m, t: m.row_view(t),
    lambda m, t: m.view[t, 1:2],
    lambda m, t: m.topk(t, 1),
    lambda m, t: m.repeat_interleave(t, 0),
    lambda m, t: m.bin(t),
]


@pytest.mark.parametrize("use", TURNING_USES)
@pytest.mark.parametrize("sides", [(5, 2), (2, 5)])
def test_arguments_that_change_the_matrix(use: Callable[[Matrix, Any], Any], sides: tuple[int, int]) -> None:
    m = Matrix(*sides, range(10))
    try:
        result = use(m, Turning(m))
    except (IndexError, ValueError):
        return
    if isinstance(result, Matrix):
        assert set(result.values()) <= set(map(float, range(10)))


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_nothing_leaks() -> None:
    start(2)
    cown = Cown([Matrix(100, 100)])

    @dataclass
    class Local:
        grid: Matrix

    def work(cown, other):
        m = find(cown.value)
        m += 1
        m.T @ m
        _ = m.row_view(3)[::-1] + 1, list(m.column_views()), m.topk(3, 1), m[[1, 2]], m.copy(), memoryview(m)
        for wrong in (lambda: m + "x", lambda: m[[1000]], lambda: m @ m[0], lambda: Matrix(2, 2, [1, "x", 2, 3])):
            with contextlib.suppress(TypeError, IndexError, ValueError):
                wrong()
        cown.value = [m, other] if isinstance(cown.value, Local) else Local(m)

    def rounds(n: int) -> int:
        for _ in range(n):
            whencall(work, [cown], [Matrix(100, 100)])
            with cown:
                pass
            cown.result()
        wait()
        gc.collect()
        return resident_bytes()

    rounds(30)
    before = rounds(30)
    # 80 kB for each matrix that is left behind, of at least five in a round.
    assert rounds(120) - before < 20_000_000


def test_bound_methods_and_types_go_by_name() -> None:
    m = Matrix(1, 2, [1, 2])
    free = Cown(None)
    made = whencall(lambda _, kind, zeros: (kind(1, 1, 3).x, zeros((2, 2)).size), [free], [Matrix, Matrix.zeros])
    assert made.result() == (3.0, 4)
    assert isinstance(m.sum, types.BuiltinMethodType)
