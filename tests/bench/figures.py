"""Measures the figures that the README promises, and prints them as Markdown tables.

    python tests/bench/figures.py                              this interpreter's bocpy alone
    python tests/bench/figures.py --compare /venv/bin/python   against the bocpy of another environment, in turn

README.md beside this file says how to read the tables.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from report import COMPARED, OURS, Figure, Measured, notes, table_of_comparison, table_of_ours

HERE = Path(__file__).parent
# A workload takes seconds; only a hang takes this long.
DEADLINE = 600


def run_child(python: str, environment: dict[str, str], *arguments: str) -> object:
    """Runs child.py in a process of its own and returns what it measured."""
    command = [python, str(HERE / "child.py"), *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"figures: no end within {DEADLINE} s: {' '.join(command)}") from None
    if done.returncode:
        raise SystemExit(f"figures: exit code {done.returncode}: {' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(figures: list[Figure], pythons: dict[str, str], backend: str | None, rounds: int) -> dict[str, Measured]:
    """Runs every figure in every environment, round by round; who goes first changes with each round."""
    measured = {figure.name: Measured(figure) for figure in figures}
    with tempfile.TemporaryDirectory(prefix="bocpy-figures-") as folder:
        for number in range(rounds):
            for figure in figures:
                sides = [side for side in pythons if side == "ours" or not figure.ours_only]
                for side in sides if number % 2 == 0 else reversed(sides):
                    print(f"round {number + 1} of {rounds}: {figure.name}, {side}", file=sys.stderr, flush=True)
                    environment = environment_of(side, folder, backend)
                    result = run_child(pythons[side], environment, *figure.child())
                    measured[figure.name].add(side, result)
    return measured


def environment_of(side: str, folder: str, backend: str | None) -> dict[str, str]:
    environment = {**os.environ, "PYTHONPATH": str(HERE), "BENCH_FOLDER": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    if backend and side == "ours":
        environment["BOCPY_BACKEND"] = backend
    return environment


def parse_arguments() -> argparse.Namespace:
    names = [figure.name for figure in COMPARED + OURS]
    parser = argparse.ArgumentParser(description="Measure the figures and print them as Markdown tables.")
    parser.add_argument("--python", default=sys.executable, help="the environment to measure (default: this one)")
    parser.add_argument("--compare", metavar="PYTHON", help="an environment with the library to compare with")
    parser.add_argument("--rounds", type=int, default=5, help="processes per figure and side (default: %(default)s)")
    parser.add_argument("--only", metavar="NAME,...", help=f"some of: {', '.join(names)}")
    parser.add_argument("--backend", help="BOCPY_BACKEND of the measured environment")
    parser.add_argument("--json", metavar="FILE", help="also write every sample to this file")
    args = parser.parse_args()
    chosen = args.only.split(",") if args.only else names
    unknown = sorted(set(chosen) - set(names))
    if unknown:
        parser.error(f"no such figure: {', '.join(unknown)}; there are {', '.join(names)}")
    if args.rounds < 1:
        parser.error("--rounds: at least one is needed")
    args.figures = [figure for figure in COMPARED + OURS if figure.name in chosen]
    return args


def main() -> None:
    args = parse_arguments()
    pythons = {"ours": args.python} | ({"other": args.compare} if args.compare else {})
    described = {
        side: run_child(python, environment_of(side, "", args.backend), "describe", "", "{}")
        for side, python in pythons.items()
    }
    measured = measure(args.figures, pythons, args.backend, args.rounds)
    if args.json:
        samples = {name: entry.samples for name, entry in measured.items()}
        Path(args.json).write_text(json.dumps({"environments": described, "samples": samples}, indent=1))
    print(notes(described, args.rounds))
    for table in (table_of_comparison, table_of_ours):
        if text := table(measured):
            print(f"\n{text}")


if __name__ == "__main__":
    main()
