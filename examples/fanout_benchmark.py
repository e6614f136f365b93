"""Measure how evenly and how fast workers share what a few of them produce.

    python -m bocpy.examples.fanout_benchmark
    python -m bocpy.examples.fanout_benchmark --sweep-axis fanout-width --sweep-values 1,4,16,64 --repeats 3

A producer is a chain of behaviors. Each of them makes some cowns and schedules a behavior on each, a *child*: the
worker that runs the producer has all of them in its own queue, and the others must steal. The time from the first
`@when` to the return of `quiesce` counts, and all children do.

Every repeat is a process of its own. docs/benchmarks.md describes all options and the file of results.
"""

from __future__ import annotations

from collections.abc import Callable

from bocpy.examples._bench_fanout import measure
from bocpy.examples._bench_options import (
    Axis,
    Benchmark,
    Settings,
    add_payload,
    doubling,
    natural,
    positive,
    resolve_payload,
)
from bocpy.examples._bench_sweep import command


def describe(add: Callable[..., object]) -> None:
    add("--workers", type=positive, default=4, metavar="N", help="(%(default)s)")
    add("--producers", type=positive, metavar="N", help="(one for every four workers)")
    add("--fanout-width", type=positive, metavar="N", help="children of each step (four for every worker)")
    add("--child-iters", type=natural, default=1, metavar="N", help="products of a child (%(default)s)")
    add("--producer-steps", type=positive, default=1000, metavar="N", help="of each producer (%(default)s)")
    add_payload(add)


def resolve(given: Settings) -> Settings:
    """Fill in what was not given.

    :raises ValueError: if matrices are not square.
    """
    inputs = dict(given)
    resolve_payload(inputs)
    if inputs["producers"] is None:
        inputs["producers"] = max(1, inputs["workers"] // 4)
    if inputs["fanout_width"] is None:
        inputs["fanout_width"] = 4 * inputs["workers"]
    return inputs


BENCHMARK = Benchmark(
    name="fanout",
    command="python -m bocpy.examples.fanout_benchmark",
    module="bocpy.examples.fanout_benchmark",
    description="Count the children per second that a few producers hand out to all workers.",
    counted="completed_children",
    axes={
        "workers": Axis(("workers",), lambda fixed: doubling(fixed["workers"])),
        "fanout-width": Axis(("fanout_width",), lambda fixed: [1, 4, 16, 64]),
        "producers": Axis(("producers",), lambda fixed: [1, 2, 4]),
        "child-iters": Axis(("child_iters",), lambda fixed: [0, 1, 10, 100], least=0),
        "producer-steps": Axis(("producer_steps",), lambda fixed: [10, 100, 1000]),
    },
    default_axis="workers",
    describe=describe,
    resolve=resolve,
    measure=measure,
)


def main(argv: list[str] | None = None) -> None:
    command(BENCHMARK, __file__, argv)


if __name__ == "__main__":
    main()
