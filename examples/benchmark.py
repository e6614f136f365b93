"""Measure how many behaviors per second the workers run: chains of behaviors on rings of cowns.

    bocpy-bench                                            a sweep over numbers of workers
    bocpy-bench --sweep-axis workers --sweep-values 1,2,4 --duration 8 --warmup 2 --repeats 3 --output scaling.json
    bocpy-bench --sweep-axis none --null-payload           empty behaviors: what the scheduler itself takes
    bocpy-bench --print-table scaling.json

A ring is a circle of cowns with a matrix each, published on the noticeboard. Several chains walk on each: a behavior
holds the chain's own cown and a window of neighbors, multiplies matrices, and schedules the next one a cown further on.
So every behavior is scheduled by a worker, takes several cowns at once, and meets other chains on some of them.

What to mind when reading the figures:

* What ends in the timed window counts, by the clock, behavior by behavior. Warm-up and the last steps do not.
* Behaviors of a real program do something else than these, and their cowns are shared more, or less.
* Speedups need as many idle cores as there are workers, and an idle machine: compare repeats.

Every repeat is a process of its own. docs/benchmarks.md describes all options and the file of results.
"""

from __future__ import annotations

from collections.abc import Callable

from bocpy import WORKER_COUNT
from bocpy.examples._bench_options import (
    Axis,
    Benchmark,
    Settings,
    add_payload,
    doubling,
    duration,
    natural,
    positive,
    resolve_payload,
    seconds,
)
from bocpy.examples._bench_ring import measure
from bocpy.examples._bench_sweep import command


def describe(add: Callable[..., object]) -> None:
    add("--workers", type=positive, default=WORKER_COUNT, metavar="N", help="(%(default)s)")
    add("--duration", type=duration, default=5.0, metavar="SECONDS", help="the timed window (%(default)s)")
    add("--warmup", type=seconds, metavar="SECONDS", help="before the window (a tenth of it, at most 1)")
    add("--iters", type=natural, default=2000, metavar="N", help="products per member of a window (%(default)s)")
    add("--group-size", type=positive, default=2, metavar="N", help="members of a window (%(default)s)")
    add("--stride", type=positive, default=1, metavar="N", help="from one member to the next (%(default)s)")
    add("--rings", type=positive, metavar="N", help="(by the number of workers)")
    add("--chains-per-ring", type=positive, metavar="N", help="(by the size of rings and windows)")
    add("--ring-size", type=positive, default=128, metavar="N", help="cowns of a ring (%(default)s)")
    add_payload(add)
    add("--null-payload", action="store_true", help="no matrices and no products")
    add("--pinned-spinner", action="store_true", help="the main thread runs pinned behaviors meanwhile")
    add("--pinned-spinner-sleep-s", type=seconds, default=0.001, metavar="SECONDS", help="between them (%(default)s)")


def resolve(given: Settings) -> Settings:
    """Fill in what was not given.

    :raises ValueError: if a window does not fit its ring twice, or matrices are not square.
    """
    inputs = dict(given)
    span = inputs["group_size"] * inputs["stride"]
    if 2 * span > inputs["ring_size"]:
        raise ValueError(
            f"--ring-size is {inputs['ring_size']}: windows of --group-size {inputs['group_size']} with --stride "
            f"{inputs['stride']} need at least {2 * span}"
        )
    resolve_payload(inputs)
    if inputs["warmup"] is None:
        inputs["warmup"] = min(1.0, inputs["duration"] / 10)
    if inputs["chains_per_ring"] is None:
        inputs["chains_per_ring"] = max(1, inputs["ring_size"] // (span * 8))
    if inputs["rings"] is None:
        inputs["rings"] = max(16 * inputs["workers"] // inputs["chains_per_ring"], 4 * inputs["workers"])
    return inputs


BENCHMARK = Benchmark(
    name="benchmark",
    command="bocpy-bench",
    module="bocpy.examples.benchmark",
    description="Count the behaviors per second of chains that walk on rings of cowns.",
    counted="completed_behaviors",
    axes={
        "workers": Axis(("workers",), lambda fixed: doubling(fixed["workers"])),
        "iters": Axis(("iters",), lambda fixed: [0, 20, 200, 2000], least=0),
        "group-size": Axis(("group_size",), lambda fixed: [1, 2, 4, 8]),
        "payload": Axis(("payload_rows", "payload_cols"), lambda fixed: [4, 8, 16, 32]),
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
