"""The figures: what each one runs, what it has to reach, and how it is shown."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

SECOND, MILLI, MICRO = (1.0, "s"), (1e3, "ms"), (1e6, "µs")
BYTES = (1.0, "B")


@dataclass(frozen=True)
class Figure:
    """One workload of child.py; `factor`, `limit` and the ratios say what it has to reach."""

    name: str
    title: str
    module: str
    function: str
    unit: tuple[float, str]
    arguments: dict[str, object] = field(default_factory=dict)
    ours_only: bool = False
    # At least this many times better than the other library.
    factor: float | None = None
    # At most this, in the figure's unit.
    limit: float | None = None
    # For figures with several ways of doing the same work: a line of the table for each.
    ratios: tuple[Ratio, ...] = ()

    def child(self) -> tuple[str, str, str]:
        return self.module, self.function, json.dumps(self.arguments)


@dataclass(frozen=True)
class Ratio:
    """A figure computed from the medians of one process: `compute` gets {way: seconds}."""

    title: str
    compute: Callable[[dict[str, float]], float]
    goal: float | None = None
    as_percent: bool = False


@dataclass
class Measured:
    """All samples of a figure: per side, one entry for each round (each process)."""

    figure: Figure
    samples: dict[str, list] = field(default_factory=dict)

    def add(self, side: str, result: object) -> None:
        self.samples.setdefault(side, []).append(result)

    def rounds(self, side: str) -> list[float]:
        """The median of each round, in the figure's unit."""
        scale = self.figure.unit[0]
        return [scale * statistics.median(samples) for samples in self.samples.get(side, [])]

    def ratios(self, ratio: Ratio) -> list[float]:
        """The ratio of each round: between medians of one and the same process."""
        return [
            ratio.compute({way: statistics.median(seconds) for way, seconds in result.items()})
            for result in self.samples.get("ours", [])
        ]


def behavior(name: str, title: str) -> Figure:
    return Figure(name, title, "small", "timed", MICRO, {"name": name}, factor=5)


def moving(kind: str, title: str) -> Figure:
    name = f"moving {kind}"
    return Figure(name, title, "small", "timed", MICRO, {"name": name}, factor=2)


COMPARED = [
    behavior("chain", "one chain on a cown of its own"),
    behavior("two chains", "two such chains side by side"),
    behavior("fan-out", "fan-out to fresh cowns"),
    behavior("one cown", "all on one cown"),
    behavior("random pairs", "random pairs of 64 cowns"),
    Figure("list", "a list of 10,000 ints, per behavior", "small", "timed", MICRO, {"name": "list"}, factor=100),
    moving("list", "the same list, used by two workers in turn"),
    moving("dict", "a dict of 100 entries, used by two workers in turn"),
    moving("bytes", "1 MB of bytes, used by two workers in turn"),
    Figure("start", "first `start()`, two workers", "small", "start_time", MILLI, limit=2),
    Figure("restart", "`start()` after a `wait()`", "small", "restart_time", MILLI, limit=2),
    Figure("bytes", "memory of a queued behavior, one cown and one int", "small", "bytes_queued", BYTES, limit=300),
]

OURS = [
    Figure(
        "cpu",
        "CPU-bound Python bodies",
        "parallel",
        "cpu",
        SECOND,
        ours_only=True,
        ratios=(
            Ratio("two workers against one", lambda t: t["workers 1"] / t["workers 2"], 1.85),
            Ratio("`multiprocessing.Pool(2)` against `Pool(1)`", lambda t: t["pool 1"] / t["pool 2"]),
            Ratio(
                "speed-up of the workers, of the speed-up of the pool",
                lambda t: t["workers 1"] / t["workers 2"] * t["pool 2"] / t["pool 1"],
                0.97,
                as_percent=True,
            ),
            Ratio("speed of two workers, of `Pool(2)`", lambda t: t["pool 2"] / t["workers 2"], as_percent=True),
        ),
    ),
    Figure(
        "null chains",
        "16 null chains",
        "parallel",
        "null_chains",
        SECOND,
        ours_only=True,
        ratios=(Ratio("two workers against one", lambda t: t["workers 1"] / t["workers 2"], 1.7),),
    ),
    Figure(
        "codestats",
        "codestats",
        "parallel",
        "codestats",
        SECOND,
        ours_only=True,
        ratios=(
            Ratio(
                "speed of two workers, of two plain threads",
                lambda t: t["threads 2"] / t["workers 2"],
                0.97,
                as_percent=True,
            ),
            Ratio("two workers against one plain thread", lambda t: t["threads 1"] / t["workers 2"]),
            Ratio("two plain threads against one", lambda t: t["threads 1"] / t["threads 2"]),
        ),
    ),
]


def digits(number: float) -> str:
    """Three digits that matter."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def spread(numbers: list[float], unit: str = "") -> str:
    """Median and range of the rounds."""
    middle = digits(statistics.median(numbers))
    if len(numbers) == 1:
        return f"{middle} {unit}".strip()
    return f"{middle} {unit}".strip() + f" ({digits(min(numbers))}-{digits(max(numbers))})"


def verdict(reached: list[bool]) -> str:
    return "" if not reached else "yes" if all(reached) else "**no**"


def table_of_comparison(measured: dict[str, Measured]) -> str:
    entries = [entry for entry in measured.values() if not entry.figure.ours_only]
    if not entries:
        return ""
    compared = any("other" in entry.samples for entry in entries)
    columns = ["figure", "bocpy-dual", *(["other", "ratio"] if compared else []), "goal", "reached"]
    rows = [row_of_comparison(entry, compared) for entry in entries]
    return markdown(columns, rows)


def row_of_comparison(entry: Measured, compared: bool) -> list[str]:
    figure, ours, other = entry.figure, entry.rounds("ours"), entry.rounds("other")
    unit = figure.unit[1]
    row, goals, reached = [figure.title, spread(ours, unit)], [], []
    if compared:
        # Round by round: both sides of a ratio were measured next to each other.
        ratios = [theirs / mine for mine, theirs in zip(ours, other, strict=True)]
        row += [spread(other, unit), f"{digits(statistics.median(ratios))}x"]
        if figure.factor:
            goals.append(f"≥ {figure.factor:g}x")
            reached.append(statistics.median(ratios) >= figure.factor)
    if figure.limit:
        goals.append(f"≤ {figure.limit:g} {unit}")
        reached.append(statistics.median(ours) <= figure.limit)
    return [*row, ", ".join(goals), verdict(reached)]


def table_of_ours(measured: dict[str, Measured]) -> str:
    rows = []
    for entry in (entry for entry in measured.values() if entry.figure.ours_only):
        for ratio in entry.figure.ratios:
            numbers = entry.ratios(ratio)
            middle = statistics.median(numbers)
            shown = [
                f"{100 * n:.1f} %" if ratio.as_percent else f"{n:.2f}x" for n in (middle, min(numbers), max(numbers))
            ]
            goal = ratio.goal and (f"≥ {100 * ratio.goal:g} %" if ratio.as_percent else f"≥ {ratio.goal:g}x")
            rows.append(
                [
                    f"{entry.figure.title}: {ratio.title}",
                    shown[0] if len(numbers) == 1 else f"{shown[0]} ({shown[1]}-{shown[2]})",
                    goal or "",
                    verdict([middle >= ratio.goal] if ratio.goal else []),
                ]
            )
    return markdown(["figure", "bocpy-dual", "goal", "reached"], rows) if rows else ""


def markdown(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def notes(described: dict, rounds: int) -> str:
    lines = []
    for side, facts in described.items():
        gil = "GIL on" if facts["gil"] else "GIL off"
        what = facts["backend"] if side == "ours" else "other"
        lines.append(f"- {facts['library']} ({what}) on CPython {facts['python']}, {gil}")
    lines.append(f"- medians of {rounds} rounds (smallest-largest); both sides in turn, each in processes of its own")
    return "\n".join(lines)
