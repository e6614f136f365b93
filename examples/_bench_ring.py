"""The workload of the chain-ring benchmark. Its functions have a module of their own: each worker imports it once."""

from __future__ import annotations

import time
from typing import Any

from bocpy import (
    Cown,
    Matrix,
    PinnedCown,
    hold,
    notice_read,
    notice_seed,
    notice_write,
    pump,
    quiesce,
    start,
    when,
)

SECOND = 1_000_000_000  # nanoseconds


def slot_key(ring: int, position: int) -> str:
    """A key for each cown, not for each ring: a read decodes the whole of what it reads."""
    return f"{ring}/{position}"


def schedule_step(state, ring, position, shape):
    """Schedule the next behavior of a chain: it holds the chain's state and its window of the ring.

    :param state: a cown with [begin, end, count]: the timed window in ns of the monotonic clock, and what ended in it.
    :param shape: (ring size, group size, stride, iterations)
    """
    ring_size, size, stride, iters = shape
    window = [notice_read(slot_key(ring, (position + k * stride) % ring_size)) for k in range(size)]

    @when(state, window)
    def step(state, window):
        if iters:
            product = window[0].value
            others = [slot.value for slot in window]
            for _ in range(iters):
                for other in others:
                    product = product @ other
            window[0].value = product
        if not notice_read("stop"):
            schedule_step(state, ring, position + 1, shape)
        record = state.value
        if record[0] <= time.monotonic_ns() < record[1]:
            record[2] += 1


def new_payload(inputs: dict[str, Any]) -> Matrix | None:
    """A matrix that is its own square, so that products neither vanish nor grow."""
    if inputs["null_payload"]:
        return None
    rows, columns = inputs["payload_rows"], inputs["payload_cols"]
    return Matrix(rows, columns, 1 / columns)


def measure(inputs: dict[str, Any]) -> dict[str, Any]:
    """Run the chains for the warm-up and the timed window; count what ends in the window."""
    start(inputs["workers"])
    rings, chains, ring_size = inputs["rings"], inputs["chains_per_ring"], inputs["ring_size"]
    for ring in range(rings):
        for position in range(ring_size):
            notice_seed(slot_key(ring, position), Cown(new_payload(inputs)))
    shape = (ring_size, inputs["group_size"], inputs["stride"], 0 if inputs["null_payload"] else inputs["iters"])
    states = [Cown([]) for _ in range(rings * chains)]
    with hold(states):  # nobody begins before all are scheduled
        for number, state in enumerate(states):
            schedule_step(state, number // chains, number % chains * ring_size // chains, shape)
        begin = time.monotonic_ns() + round(inputs["warmup"] * SECOND)
        end = begin + round(inputs["duration"] * SECOND)
        started_at = time.time_ns() + begin - time.monotonic_ns()
        for state in states:
            state.value = [begin, end, 0]
    if inputs["pinned_spinner"]:
        pinned = spin(begin, end, inputs["pinned_spinner_sleep_s"])
    else:
        pinned = None
        time.sleep(max(0, end - time.monotonic_ns()) / SECOND)
    notice_write("stop", True)
    quiesce()
    return {
        "completed_behaviors": sum(state.result()[2] for state in states),
        "elapsed_s": (end - begin) / SECOND,
        "wall_clock_ns_start": started_at,
        "pinned_dispatches": pinned,
    }


def spin(begin: int, end: int, pause: float) -> int:
    """Keep the main thread busy with pinned behaviors until the window ends; count those that end in it."""
    count = PinnedCown(0)
    while (now := time.monotonic_ns()) < end:

        @when(count)
        def tick(count):
            if begin <= time.monotonic_ns() < end:
                count.value += 1

        pump()
        time.sleep(min(pause, max(0, end - now) / SECOND))
    return count.value
