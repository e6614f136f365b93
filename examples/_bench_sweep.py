"""Runs a benchmark: every repeat in a process of its own, so that no run finds warm memory or workers of another."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bocpy import wait
from bocpy.examples._bench_counters import derive
from bocpy.examples._bench_options import Benchmark, Settings, as_arguments, make_parsers, points_of
from bocpy.examples._bench_results import (
    SCHEMA_VERSION,
    BadResults,
    Results,
    default_output,
    load,
    metadata,
    now,
    save,
    summary,
    table,
)

BEGIN, END = "---BOCPY-BENCH-BEGIN---", "---BOCPY-BENCH-END---"
MOST_OF_AN_ERROR = 2000  # characters
INTERRUPTED = 130


class RunFailed(Exception):
    """A repeat that has no result."""


def command(benchmark: Benchmark, source: str, argv: list[str] | None) -> None:
    """The command of a benchmark. Exit codes: 0, 1 if a repeat failed, 2 for bad options, 130 after Ctrl-C."""
    parser, workload = make_parsers(benchmark)
    args = parser.parse_args(argv)
    if args.print_table is not None:
        try:
            print("\n".join(table(load(args.print_table))))
        except BadResults as error:
            parser.error(str(error))
        return
    fixed = {name: getattr(args, name) for name in vars(workload.parse_args([]))}
    axis = "none" if args.json_stdout else args.sweep_axis
    try:
        points = points_of(benchmark, fixed, axis, args.sweep_values)
    except ValueError as error:
        parser.error(str(error))
    if args.json_stdout:
        print_record(benchmark, points[0][1], args.emit_scheduler_stats)
        return
    results = {
        "schema_version": SCHEMA_VERSION,
        "metadata": metadata(benchmark.name, source, sys.argv[1:] if argv is None else argv),
        "sweep": {"axis": axis, "values": [value for value, _ in points], "fixed": fixed},
        "points": [],
    }
    output = args.output or default_output(benchmark.name)
    try:
        save(results, output)  # before minutes of work, not after them
    except OSError as error:
        parser.error(f"{output} cannot be written: {error.strerror}")
    sweep = Sweep(benchmark, results, output, args.quiet, args.emit_scheduler_stats)
    code = sweep.run([inputs for _, inputs in points], args.repeats)
    if args.table:
        print("\n".join(table(results)))
    if code:
        parser.exit(code)


class Sweep:
    """All points, one after the other. The file is written anew after each of them: what is done is never lost."""

    def __init__(self, benchmark: Benchmark, results: Results, output: Path, quiet: bool, stats: bool) -> None:
        self.benchmark = benchmark
        self.results = results
        self.output = output
        self.quiet = quiet
        self.stats = stats

    def run(self, points: list[Settings], repeats: int) -> int:
        """The exit code."""
        facts = self.results["metadata"]
        try:
            for number, inputs in enumerate(points, 1):
                value = self.results["sweep"]["values"][number - 1]
                self.tell(f"point {number} of {len(points)}" + ("" if value is None else f": {value}"))
                self.run_point(inputs, repeats)
                save(self.results, self.output)
        except KeyboardInterrupt:
            facts["interrupted"] = True
        facts["finished_at"] = now()
        save(self.results, self.output)
        self.tell(f"results: {self.output}")
        if facts["interrupted"]:
            return INTERRUPTED
        return int(any(point["error"] for point in self.results["points"]))

    def run_point(self, inputs: Settings, repeats: int) -> None:
        """Add a point, also if it is interrupted: the repeats that are done count."""
        point: dict[str, Any] = {"inputs": inputs, "repeats": [], **summary([]), "error": None}
        self.results["points"].append(point)
        for index in range(repeats):
            try:
                record = run_in_a_process(self.benchmark, inputs, self.stats)
            except RunFailed as error:
                point["error"] = str(error)
                self.tell(f"  failed: {error}")
                return
            point["repeats"].append({"repeat_index": index, **record})
            point.update(summary([repeat["throughput"] for repeat in point["repeats"]]))
            self.tell(f"  {record['throughput']:,.1f} per second")

    def tell(self, line: str) -> None:
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)


def run_in_a_process(benchmark: Benchmark, inputs: Settings, stats: bool) -> Settings:
    """:raises RunFailed: with what the process said."""
    arguments = [*as_arguments(inputs), *(["--emit-scheduler-stats"] if stats else []), "--json-stdout"]
    child = subprocess.Popen(
        [sys.executable, "-m", benchmark.module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = child.communicate()
    except BaseException:
        child.kill()  # it has nothing to save, and Ctrl-C may have gone to this process alone
        child.communicate()
        raise
    if child.returncode != 0:
        raise RunFailed(f"exit code {child.returncode}: {err.strip()[-MOST_OF_AN_ERROR:]}")
    _, begun, rest = out.partition(BEGIN)
    record, ended, _ = rest.partition(END)
    if not (begun and ended):
        raise RunFailed(f"no record in its output: {out.strip()[-MOST_OF_AN_ERROR:]}")
    return json.loads(record)


def print_record(benchmark: Benchmark, inputs: Settings, stats: bool) -> None:
    """Measure in this process. A behavior that fails makes the figure worthless: then there is none."""
    with failures() as failed:
        record = benchmark.measure(inputs)
        counters = wait(stats=True)
    if failed:
        raise SystemExit(f"{len(failed)} behaviors failed, the first with {failed[0]}")
    count = record[benchmark.counted]
    record["throughput"] = count / record["elapsed_s"]
    record |= {
        "scheduler_stats": counters if stats else None,
        "queue_stats": None,
        "derived": derive(counters),
    }
    print(BEGIN, json.dumps(record), END, sep="\n")


@contextmanager
def failures() -> Iterator[list[str]]:
    """Collect what is reported of failed behaviors, beside reporting it."""
    collected: list[str] = []
    report = sys.unraisablehook

    def hook(failure: Any) -> None:
        collected.append(repr(failure.exc_value))
        report(failure)

    sys.unraisablehook = hook
    try:
        yield collected
    finally:
        sys.unraisablehook = report
