"""The workload of the fan-out benchmark. Its functions have a module of their own: each worker imports it once."""

from __future__ import annotations

import time
from typing import Any

from bocpy import Cown, Matrix, quiesce, start, when


def schedule_child(rows, columns, iters):
    """Schedule a behavior on a cown that nobody else has."""
    payload = Cown(Matrix(rows, columns, 1 / columns))

    @when(payload)
    def child(payload):
        product = payload.value
        for _ in range(iters):
            product = product @ product
        payload.value = product


def schedule_producer(steps, width, shape):
    """Schedule the next step of a producer.

    :param shape: (rows, columns, iterations)
    """

    @when(steps)
    def produce(steps):
        for _ in range(width):
            schedule_child(*shape)
        steps.value -= 1
        if steps.value:
            schedule_producer(steps, width, shape)


def measure(inputs: dict[str, Any]) -> dict[str, Any]:
    """Run all producers to their end; all of that is timed, and all children count."""
    start(inputs["workers"])
    producers = [Cown(inputs["producer_steps"]) for _ in range(inputs["producers"])]
    shape = (inputs["payload_rows"], inputs["payload_cols"], inputs["child_iters"])
    started_at, begin = time.time_ns(), time.monotonic_ns()
    for producer in producers:
        schedule_producer(producer, inputs["fanout_width"], shape)
    quiesce()
    elapsed = time.monotonic_ns() - begin
    unfinished = sum(producer.result() for producer in producers)
    steps = inputs["producers"] * inputs["producer_steps"] - unfinished
    return {
        "completed_children": steps * inputs["fanout_width"],
        "elapsed_s": elapsed / 1e9,
        "wall_clock_ns_start": started_at,
    }
