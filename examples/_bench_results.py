"""Results of the benchmarks: where and when they were taken, the file, and the table."""

from __future__ import annotations

import datetime
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from bocpy import __version__, backend

SCHEMA_VERSION = 1
Results = dict[str, Any]


class BadResults(Exception):
    """A file that holds no results which this version can show."""


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def physical_cpu_count() -> int | None:
    """Cores, where a core with two hardware threads counts once; None if the system does not tell."""
    files = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list")
    try:
        return len({file.read_text() for file in files}) or None
    except OSError:
        return None


def git_sha(source: str) -> str | None:
    """The commit of this source, if git knows the file; BOCPY_BENCH_GIT_SHA overrides it."""
    if given := os.environ.get("BOCPY_BENCH_GIT_SHA"):
        return given
    folder, name = os.path.split(os.path.abspath(source))
    for command in (["ls-files", "--error-unmatch", name], ["rev-parse", "HEAD"]):
        try:
            done = subprocess.run(["git", "-C", folder, *command], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            return None
        if done.returncode != 0:
            return None
    return done.stdout.strip()


def metadata(benchmark: str, source: str, argv: list[str]) -> Results:
    return {
        "benchmark": benchmark,
        "hostname": socket.gethostname(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "physical_cpu_count": physical_cpu_count(),
        "python_version": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil_enabled": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "backend": backend(),
        "bocpy_version": __version__,
        "git_sha": git_sha(source),
        "started_at": now(),
        "finished_at": None,
        "argv": argv,
        "interrupted": False,
    }


def summary(throughputs: list[float]) -> dict[str, float | None]:
    """Mean and spread; one sample has no spread."""
    several = len(throughputs) > 1
    return {
        "throughput_mean": statistics.fmean(throughputs) if throughputs else None,
        "throughput_stdev": statistics.stdev(throughputs) if several else None,
        "throughput_min": min(throughputs) if several else None,
        "throughput_max": max(throughputs) if several else None,
    }


def default_output(benchmark: str) -> Path:
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("results", f"{benchmark}-{socket.gethostname()}-{stamp}.json")


def save(results: Results, output: Path) -> None:
    """Write the file anew; at every moment it is either the old or the new one, and whole."""
    output.parent.mkdir(parents=True, exist_ok=True)
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)


def load(file: Path) -> Results:
    """:raises BadResults: if it cannot be read, or holds something else."""
    try:
        results = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadResults(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadResults(f"{file} holds no JSON: {error}") from None
    version = results.get("schema_version") if isinstance(results, dict) else None
    if version != SCHEMA_VERSION:
        raise BadResults(f"{file} has schema_version {version!r}; this program shows files with {SCHEMA_VERSION}")
    try:
        table(results)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadResults(f"{file} is no file of results: {type(error).__name__}: {error}") from None
    return results


def table(results: Results) -> list[str]:
    """The lines of a table with a row for each point; with the axis of workers also speedup and efficiency."""
    axis = results["sweep"]["axis"]
    scaling = axis == "workers"
    head = [axis, "per second", "stdev", "runs", *(["speedup", "efficiency"] if scaling else [])]
    rows = [head]
    base = next((point for point in results["points"] if point["throughput_mean"]), None)
    for point, value in zip(results["points"], results["sweep"]["values"], strict=False):
        row = ["-" if value is None else str(value)]
        row += [_number(point["throughput_mean"]), _number(point["throughput_stdev"]), str(len(point["repeats"]))]
        if scaling and base is not None and point["throughput_mean"]:
            speedup = point["throughput_mean"] / base["throughput_mean"]
            more = point["inputs"]["workers"] / base["inputs"]["workers"]
            row += [f"{speedup:.2f}x", f"{speedup / more:.0%}"]
        elif scaling:
            row += ["-", "-"]
        rows.append([*row, *(["failed"] if point["error"] else [])])
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, [*widths, 0], strict=False)) for row in rows]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
