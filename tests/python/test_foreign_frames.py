"""Behaviors that wait for messages with frames of an extension module between them and receive()."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boc_testing import DEADLINE
from bocpy import CancelledError, receive, scope, send, start, wait, whencall
from extension_building import build
from suspension_testing import listen, quiesce_all_waiting

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("no_messages")]  # the first test compiles

WORKERS = pytest.mark.parametrize("workers", [1, 2, 4])


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("lifo")
    build(Path(__file__).with_name("lifo_calls.c"), "bocpy_lifo_calls", folder)
    sys.path.insert(0, str(folder))
    yield
    wait(timeout=DEADLINE)
    sys.path.remove(str(folder))


def within(depth: int, tag: str) -> Any:
    """Wait below so many calls of the extension's function."""
    import bocpy_lifo_calls  # type: ignore[import-not-found]

    if depth == 0:
        return listen(tag)
    return bocpy_lifo_calls.call_within(lambda: within(depth - 1, tag))


@WORKERS
def test_they_wait_beside_others(workers: int) -> None:
    start(workers)
    count = 30

    def use(number: int) -> list[Any]:
        depth = number % 3
        return [within(depth, f"first {number}"), within(depth, f"second {number}"), within(0, f"third {number}")]

    results = [whencall(use, [], [number]) for number in range(count)]
    for number in range(20):
        assert whencall(lambda n: n, [], [number]).result(DEADLINE) == number
    order = list(range(count))
    for step in ("first", "second", "third"):
        random.Random(step).shuffle(order)
        for number in order:
            send(f"{step} {number}", (step, number))
    for number, result in enumerate(results):
        assert result.result(DEADLINE) == [(step, number) for step in ("first", "second", "third")]
    wait()
    assert threading.active_count() < count


@WORKERS
def test_one_waits_for_another_of_the_same_worker(workers: int) -> None:
    """Whichever waits with the extension's frames: the others still go on, or nobody could send what it waits for."""
    start(workers)

    def plain(number: int) -> None:
        send(f"answer {number}", listen(f"question {number}"))

    def asks(number: int) -> Any:
        send(f"question {number}", number)
        return within(1, f"answer {number}")

    answering = [whencall(plain, [], [number]) for number in range(10)]
    quiesce_all_waiting(10)
    asking = [whencall(asks, [], [number]) for number in range(10)]
    assert [result.result(DEADLINE) for result in asking] == list(range(10))
    assert [result.result(DEADLINE) for result in answering] == [None] * 10


@WORKERS
def test_time_outs_and_cancelled_scopes(workers: int) -> None:
    start(workers)

    def late() -> Any:
        import bocpy_lifo_calls

        return bocpy_lifo_calls.call_within(lambda: receive("never sent", 0.01))

    def never() -> Any:
        import bocpy_lifo_calls

        return bocpy_lifo_calls.call_within(lambda: receive("never sent"))

    assert [whencall(late, []).result(DEADLINE)[1] for _ in range(5)] == [None] * 5
    with scope() as cancelled:
        results = [whencall(never, []) for _ in range(5)]
        quiesce_all_waiting(5)
        cancelled.cancel()
    for result in results:
        with pytest.raises(CancelledError):
            result.result(DEADLINE)
