"""What codestats shows on the terminal: nothing here is concurrent."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

MOST_IMPORTED = 10


def progress(total: int, label: str) -> tqdm:
    """A progress bar on standard error, if that is a terminal."""
    from tqdm import tqdm  # late: workers that import this module show no progress

    tqdm.monitor_interval = 0  # no thread to watch the bar: main alone updates it
    on_terminal = sys.stderr.isatty()
    size = {}
    if on_terminal and not os.get_terminal_size(sys.stderr.fileno()).columns:
        # Terminals of `script` and of containers may not tell their size: tqdm would take that for no room at all.
        size = {"ncols": 80, "nrows": 24}
    return tqdm(total=total, desc=label, unit=" files", leave=False, disable=not on_terminal, **size)


def format_report(path: str, stats: dict, run: dict) -> str:
    """The summary as text; the line about time comes last."""
    parts = [_counts(path, stats)]
    if stats["longest_functions"]:
        parts.append(_longest(stats["longest_functions"]))
    if stats["packages"]:
        parts.append(_imports(stats["packages"]))
    if stats["not_counted"]:
        parts.append(_not_counted(stats["not_counted"]))
    parts.append("\n".join(_closing(stats, run)))
    return "\n\n".join(parts) + "\n"


def _counts(path: str, stats: dict) -> str:
    names = ("files", "lines", "functions", "classes")
    width = max(len(f"{stats[name]:,}") for name in names)
    return "\n".join([path, *(f"  {name:<9}  {stats[name]:>{width},}" for name in names)])


def _longest(functions: list[dict]) -> str:
    width = max(len(function["name"]) for function in functions)
    rows = [
        f"  {function['lines']:>5,} lines  {function['name']:<{width}}  {function['file']}:{function['line']}"
        for function in functions
    ]
    return "\n".join(["Longest functions", *rows])


def _imports(packages: dict[str, dict]) -> str:
    edges = sum(len(package["imports"]) for package in packages.values())
    rows = [f"Import graph: {len(packages):,} packages, {edges:,} edges"]
    ranking = sorted(packages, key=lambda name: (-len(packages[name]["imported_by"]), name))[:MOST_IMPORTED]
    ranking = [name for name in ranking if packages[name]["imported_by"]]
    width = max(map(len, ranking), default=0)
    for name in ranking:
        importers = packages[name]["imported_by"]
        rows.append(f"  {name:<{width}}  {sum(importers.values()):>6,} imports from {len(importers):,} packages")
    return "\n".join(rows)


def _not_counted(problems: list[dict]) -> str:
    rows = [f"  {problem['file']}: {problem['reason']}" for problem in problems]
    return "\n".join([f"Not counted: {len(rows):,}", *rows])


def _closing(stats: dict, run: dict) -> Iterator[str]:
    workers = f"{run['workers']} worker{'s' if run['workers'] != 1 else ''}"
    if "speedup" in run:
        equal = "the numbers are equal" if run["equal"] else "THE NUMBERS DIFFER"
        yield f"One thread: {run['sequential_seconds']:.2f} s; {workers}: {run['seconds']:.2f} s; {equal}"
        yield f"Speed-up: {run['speedup']:.2f}x"
        if run["one_gil"]:
            yield "(one GIL serialises the workers of this interpreter: a free-threaded Python runs them in parallel)"
    yield (
        f"{stats['files']:,} files in {run['seconds']:.2f} s: {run['files_per_second']:,.0f} files/s"
        f" ({workers}, {run['backend']} backend)"
    )


def make_printable() -> None:
    """Names of files and functions may hold what the terminal's encoding cannot show: show it escaped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
