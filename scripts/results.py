"""What the matrix found out: one row for each interpreter and backend, as a table and as one closing line."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Row:
    interpreter: str
    backend: str = "-"
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    note: str = ""
    skips: list[tuple[str, str]] = field(default_factory=list)  # (test, reason)

    @property
    def cells(self) -> tuple[str, ...]:
        numbers = (str(self.passed), str(self.failed), str(self.skipped), f"{self.seconds:.0f} s")
        return (self.interpreter, self.backend, *numbers, self.note)


def read_junit(path: Path, row: Row) -> None:
    """Adds the counts of a pytest run; OSError or ParseError where the run died before it wrote them."""
    for case in ElementTree.parse(path).iter("testcase"):
        outcomes = {child.tag: child for child in case}
        if "failure" in outcomes or "error" in outcomes:  # one test can have both: its body's and its teardown's
            row.failed += 1
        elif "skipped" in outcomes:
            row.skipped += 1
            name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
            row.skips.append((name, outcomes["skipped"].get("message") or "no reason given"))
        else:
            row.passed += 1


def table(rows: list[Row]) -> str:
    lines = [("interpreter", "backend", "passed", "failed", "skipped", "time", ""), *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    text = []
    for line in lines:
        left = [line[0].ljust(widths[0]), line[1].ljust(widths[1])]
        right = [line[column].rjust(widths[column]) for column in range(2, 6)]
        text.append("  ".join([*left, *right, line[6]]).rstrip())
    text.insert(1, "-" * max(map(len, text)))
    return "\n".join(text)


def skip_report(rows: list[Row]) -> str:
    """Each reason once, with where it was given and for which tests."""
    places: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        for test, reason in row.skips:
            places[reason]["tests"].add(test)
            places[reason]["runs"].add(f"{row.interpreter} {row.backend}")
    lines = []
    for reason, seen in sorted(places.items()):
        tests = sorted(seen["tests"])
        named = ", ".join(tests[:3]) + (f" and {len(tests) - 3} more" if len(tests) > 3 else "")
        lines.append(f"skipped: {reason}\n    {named}\n    on {', '.join(sorted(seen['runs']))}")
    return "\n".join(lines)


def closing_line(rows: list[Row]) -> str:
    passed, failed, skipped = (sum(getattr(row, name) for row in rows) for name in ("passed", "failed", "skipped"))
    return f"{passed} passed, {failed} failed, {skipped} skipped"
