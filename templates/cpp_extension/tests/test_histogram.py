"""Behaviors in C++ among Python's, on whatever backend the tests run."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time

import bocpy_histogram as histogram
import pytest
from bocpy import CancelledError, Cown, batch, quiesce, read, scope, start, wait, when


@pytest.fixture(autouse=True)
def two_workers():
    start(2)
    yield
    wait(timeout=20)


def test_counts_what_python_behaviors_make() -> None:
    counts = histogram.make()
    assert isinstance(counts, Cown)

    @when()
    def text():
        return b"abracadabra"

    histogram.count(counts, text)
    assert histogram.most_frequent(counts).result() == (b"a", 5)
    total = histogram.total(counts)
    assert total.result() == 11
    assert histogram.add_totals(total, total).result() == 22

    @when(total)
    def doubled(total):
        return 2 * total.value

    assert doubled.result() == 22


def test_changes_values_of_python() -> None:
    counts, texts = histogram.make(), [Cown(b"ab"), Cown(b"bc")]
    assert histogram.consume(counts, texts).result() is None
    assert histogram.most_frequent(counts).result() == (b"b", 2)
    assert [text.result() for text in texts] == [None, None]
    with pytest.raises(TypeError):
        histogram.consume(counts, texts).result()


def test_one_queue_for_all() -> None:
    """Behaviors on one cown run in the order in which they were scheduled, whatever they are written in."""
    counts, log = histogram.make(), Cown([])
    for _ in range(50):

        @when(counts, log)
        def before(counts, log):
            log.value.append(histogram.peek(counts, 0))

        histogram.add_again(counts, 1)
    assert log.result() == list(range(50))
    assert histogram.total(counts).result() == 50


def test_several_at_once() -> None:
    parts = [histogram.make() for _ in range(8)]
    for n, part in enumerate(parts):
        histogram.count(part, Cown(bytes(1000 * (n + 1))))
    whole = histogram.make()
    histogram.merge(whole, parts)
    histogram.merge(whole, [])
    assert histogram.total(whole).result() == 36_000


def test_behaviors_that_schedule() -> None:
    counts = histogram.make()
    with scope():
        histogram.add_again(counts, 100)
    with counts:
        assert histogram.peek(counts, 0) == 100


def test_in_a_batch() -> None:
    counts = histogram.make()
    with batch():
        histogram.add_again(counts, 1)
        total = histogram.total(counts)
    assert total.result() == 1
    with pytest.raises(ZeroDivisionError), batch():
        lost = histogram.total(counts)
        1 / 0  # noqa: B018
    with pytest.raises(CancelledError):
        lost.result()


def test_errors_are_python_errors() -> None:
    counts = histogram.make()
    with pytest.raises(TypeError, match="bytes object"):
        histogram.count(counts, Cown("text")).result()
    with pytest.raises(IndexError, match="no such byte"):
        histogram.fail(counts).result()
    failed = histogram.fail(counts)
    with pytest.raises(TypeError, match="bytes object"):  # a failed cown's value is its exception
        histogram.count(counts, failed).result()
    assert histogram.total(counts).result() == 0


def test_what_is_no_histogram() -> None:
    with pytest.raises(TypeError):
        histogram.total(5)
    with pytest.raises(TypeError, match="no native value"):
        histogram.total(Cown(5)).result()
    with pytest.raises(TypeError, match="no native value"):
        histogram.total(histogram.total(histogram.make())).result()
    assert histogram.make().result() is None  # what Python sees of it


def test_only_who_holds_it_may_look() -> None:
    counts = histogram.make()
    with pytest.raises(RuntimeError, match="does not hold"):
        histogram.peek(counts, 0)

    @when(Cown(None))
    def other(_):
        return histogram.peek(counts, 0)

    with pytest.raises(RuntimeError, match="does not hold"):
        other.result()

    @when(read(counts))
    def reader(counts):
        histogram.peek(counts, 0)
        histogram.reset(counts)

    with pytest.raises(RuntimeError, match=r"held by read"):
        reader.result()
    with counts:
        histogram.reset(counts)
        answers = []

        def use() -> None:
            try:
                answers.append(histogram.peek(counts, 0))
            except RuntimeError as error:
                answers.append(str(error))

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        assert len(answers) == 1 and "does not hold" in answers[0]


def test_after_a_stop() -> None:
    counts = histogram.make()
    histogram.add_again(counts, 3)
    wait()
    assert histogram.peek(counts, 0) == 3
    with pytest.raises(RuntimeError, match="cannot be changed"):
        histogram.reset(counts)
    assert histogram.total(counts).result() == 3  # the workers start by themselves


def test_nothing_is_left() -> None:
    gc.collect()
    before = histogram.alive()
    counts = histogram.make()
    assert histogram.alive() == before + 1
    histogram.add_again(counts, 10)
    del counts
    quiesce(timeout=20)
    # The last handle was in a behavior, whose end a worker may still be about.
    limit = time.monotonic() + 20
    while histogram.alive() != before and time.monotonic() < limit:
        time.sleep(0.01)
    assert histogram.alive() == before


PROGRAM = """
import atexit, bocpy, bocpy_histogram as histogram
counts = histogram.make()
histogram.add_again(counts, 500)

@bocpy.when(counts)
def last(counts):
    print("there were", histogram.peek(counts, 0) > 0)
"""

TOO_LATE = """
import atexit

def late():
    try:
        histogram.total(counts)
    except RuntimeError as error:
        print(error)

atexit.register(late)  # before bocpy's own handler, so it runs after that
import bocpy, bocpy_histogram as histogram
counts = histogram.make()
"""


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_end_of_a_program_waits_for_them() -> None:
    assert run(PROGRAM) == "there were True\n"


def test_too_late() -> None:
    assert "shutting down" in run(TOO_LATE)
