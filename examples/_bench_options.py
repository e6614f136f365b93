"""The command line that the benchmarks have in common: what to sweep, how often, and where results go."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Settings = dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """What one axis of a sweep changes: settings by name, from one value of `--sweep-values`."""

    settings: tuple[str, ...]
    default: Callable[[Settings], list[int]]
    least: int = 1


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: `describe` adds its options with the function
    that it is given, `resolve` fills in sizes that were not given (ValueError: they do
    not fit together), `measure` runs one repeat in this process and returns what belongs into its record."""

    name: str  # in results and in the name of their file
    command: str
    module: str  # with `python -m`: a repeat runs in a process of its own
    description: str
    counted: str  # the record's key of what was counted
    axes: Mapping[str, Axis]
    default_axis: str
    describe: Callable[[Callable[..., object]], None]
    resolve: Callable[[Settings], Settings]
    measure: Callable[[Settings], Settings]


def positive(text: str) -> int:
    """An int from 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value}: at least 1 is needed")
    return value


def natural(text: str) -> int:
    """An int from 0 on."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value}: at least 0 is needed")
    return value


def seconds(text: str) -> float:
    """A number of seconds, not negative and not infinite."""
    value = float(text)
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text}: a number of seconds from 0 to 1000000 is needed")
    return value


def duration(text: str) -> float:
    """A number of seconds above 0."""
    value = seconds(text)
    if value == 0:
        raise argparse.ArgumentTypeError("0: a time above 0 s is needed")
    return value


def values(text: str) -> list[int]:
    """Ints separated by commas."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: ints separated by commas are needed") from None


def doubling(most: int) -> list[int]:
    """1, 2, 4, ... and `most` itself."""
    return sorted({*(1 << i for i in range(most.bit_length()) if 1 << i < most), most})


def add_payload(add: Callable[..., object]) -> None:
    """The options of the matrices."""
    add("--payload-rows", type=positive, default=16, metavar="N", help="of each matrix (%(default)s)")
    add("--payload-cols", type=positive, metavar="N", help="as many as rows, for products need that")


def resolve_payload(inputs: Settings) -> None:
    """:raises ValueError: if the matrices are not square."""
    rows, columns = inputs["payload_rows"], inputs["payload_cols"]
    if columns is None:
        inputs["payload_cols"] = rows
    elif columns != rows:
        raise ValueError(
            f"--payload-rows is {rows} and --payload-cols {columns}: only square matrices can be multiplied with each "
            "other in any order"
        )


def make_parsers(benchmark: Benchmark) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The parser of the whole command line, and one that knows the options of the workload alone."""
    workload = argparse.ArgumentParser(add_help=False)
    benchmark.describe(workload.add_argument_group("workload").add_argument)
    parser = argparse.ArgumentParser(prog=benchmark.command, description=benchmark.description, parents=[workload])
    add = parser.add_argument_group("sweep").add_argument
    add("--sweep-axis", choices=[*benchmark.axes, "none"], default=benchmark.default_axis, help="(%(default)s)")
    add("--sweep-values", type=values, metavar="N,N,...", help="what the axis takes on, in this order")
    add("--repeats", type=positive, default=1, metavar="N", help="processes for each point (%(default)s)")
    add = parser.add_argument_group("results").add_argument
    add("--output", type=Path, metavar="FILE", help=f"(results/{benchmark.name}-HOST-TIME.json)")
    add("--table", action=argparse.BooleanOptionalAction, default=True, help="print a table at the end")
    add("--quiet", action="store_true", help="no progress on standard error")
    add("--emit-scheduler-stats", action="store_true", help="add the counters of each worker to the results")
    add("--json-stdout", action="store_true", help="measure once, in this process, and print the record")
    add("--print-table", type=Path, metavar="FILE", help="print the table of earlier results, and measure nothing")
    return parser, workload


def points_of(benchmark: Benchmark, fixed: Settings, axis: str, chosen: list[int] | None) -> list[tuple[Any, Settings]]:
    """The value and the settings of each point.

    :raises ValueError: if the values do not fit the axis or the other settings.
    """
    if axis == "none":
        if chosen is not None:
            raise ValueError("--sweep-values needs a --sweep-axis other than none")
        return [(None, benchmark.resolve(fixed))]
    swept = benchmark.axes[axis]
    points = []
    for value in chosen if chosen is not None else swept.default(fixed):
        if value < swept.least:
            raise ValueError(f"--sweep-values has {value}: {axis} is at least {swept.least}")
        points.append((value, benchmark.resolve({**fixed, **dict.fromkeys(swept.settings, value)})))
    return points


def as_arguments(inputs: Settings) -> list[str]:
    """The options that give a process these settings."""
    arguments = []
    for name, value in inputs.items():
        option = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            arguments += [option] if value else []
        else:
            arguments.append(f"{option}={value}")
    return arguments
