"""What a thread leaves open when it ends: held cowns, a batch, a scope."""

from __future__ import annotations

import threading

import pytest
from boc_testing import DEADLINE, Gate
from bocpy import CancelledError, Cown, batch, hold, quiesce, read, scope, wait, when


def ended(target) -> None:
    """Run it in a thread that has ended."""
    thread = threading.Thread(target=target)
    thread.start()
    thread.join(DEADLINE)
    assert not thread.is_alive()


@pytest.mark.parametrize("waiting", [wait, quiesce])
def test_held_cowns_go_on_to_the_next(waiting) -> None:
    a, b, c = Cown(1), Cown(2), Cown(3)

    def total(cowns):
        return sum(cown.value for cown in cowns)

    ended(lambda: (a.acquire(), a.acquire()))
    ended(lambda: hold(b, read(c)).__enter__())
    result = when([a, b, c])(total)
    waiting(timeout=DEADLINE)
    assert result.result(timeout=0) == 6


def test_a_thread_can_take_what_another_left() -> None:
    cown = Cown(1)
    ended(cown.acquire)
    cown.acquire(timeout=DEADLINE)
    cown.release()
    ended(cown.acquire)
    assert cown.result(timeout=DEADLINE) == 1


def test_nothing_of_a_batch_is_scheduled(two_workers: None) -> None:
    kept = []

    def leave() -> None:
        opened = batch()
        opened.__enter__()
        kept.extend([opened, when()(lambda: "never")])

    ended(leave)
    wait(timeout=DEADLINE)
    opened, member = kept
    with pytest.raises(CancelledError):
        member.result(timeout=DEADLINE)
    with pytest.raises(RuntimeError, match="has ended without leaving it"):
        opened.__exit__(None, None, None)
    assert when()(lambda: 1).result(timeout=DEADLINE) == 1


def test_scopes_count_as_left(gate: Gate, two_workers: None) -> None:
    kept = []

    def leave() -> None:
        outer, inner = scope().__enter__(), scope().__enter__()
        when()(gate.pass_through)
        kept.extend([outer.done, inner.done, outer])

    ended(leave)
    outer_done, inner_done, outer = kept
    gate.wait_arrived()
    gate.open()
    assert inner_done.result(timeout=DEADLINE) is None
    assert outer_done.result(timeout=DEADLINE) is None
    with pytest.raises(RuntimeError, match="has ended"):
        outer.when()(lambda: None)


def test_a_waiting_thread_is_not_disturbed_by_others_that_end() -> None:
    cown = Cown(0)
    threads = [threading.Thread(target=cown.acquire) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert cown.result(timeout=DEADLINE) == 0
