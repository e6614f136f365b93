"""What is decided once, at import: the backend and the number of workers."""

from __future__ import annotations

import os
import sys
import time
import warnings

from . import _bocpy

MOST_WORKERS = 4096


def choose_backend(wanted: str | None) -> str:
    """The name of the backend for the value of ``BOCPY_BACKEND`` (None: unset).

    Raises ImportError if the value is unknown, or names a backend that this interpreter cannot have.
    """
    free_threaded = _bocpy.FREE_THREADED_BUILD
    if wanted in (None, "", "auto"):
        return "subinterp" if sys.version_info >= (3, 12) and not free_threaded else "threads"
    if wanted == "threads":
        return "threads"
    if wanted == "subinterp":
        if sys.version_info < (3, 12):
            raise ImportError(
                "BOCPY_BACKEND=subinterp needs Python 3.12 or newer: before, sub-interpreters share one lock. "
                "Unset BOCPY_BACKEND, or set it to auto or threads"
            )
        return "subinterp"
    raise ImportError(f"BOCPY_BACKEND={wanted!r} is not a backend: use auto, threads or subinterp")


def _quota_of(folder: str) -> float | None:
    """The CPUs that one control group may use (version 2, then version 1), or None if it sets no limit."""
    try:
        with open(f"{folder}/cpu.max") as file:
            quota, period = file.read().split()[:2]
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        pass
    try:
        with open(f"{folder}/cpu.cfs_quota_us") as file:
            limit = int(file.read())
        with open(f"{folder}/cpu.cfs_period_us") as file:
            return limit / int(file.read()) if limit > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def cgroup_quota(root: str = "/sys/fs/cgroup", membership: str = "/proc/self/cgroup") -> float | None:
    """The CPUs that this process's control group and those around it may use, or None where nothing limits it."""
    try:
        with open(membership) as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        lines = []
    folders = {root, f"{root}/cpu"}  # all that a container sees of its own
    for line in lines:
        if len(line) == 3 and (line[1] == "" or "cpu" in line[1].split(",")):
            top = root if line[1] == "" else f"{root}/cpu"
            parts = [part for part in line[2].split("/") if part]
            folders |= {"/".join([top, *parts[: depth + 1]]) for depth in range(len(parts))}
    return min((quota for folder in folders if (quota := _quota_of(folder)) is not None), default=None)


def count_workers(wanted: str | None) -> int:
    """Workers for the value of ``BOCPY_WORKERS`` (None: unset): that number, else the CPUs this process may use."""
    if wanted is not None:
        try:
            number = int(wanted)
        except ValueError:
            number = 0
        if 1 <= number <= MOST_WORKERS:
            return number
    try:
        cpus = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cpus = os.cpu_count() or 1
    quota = cgroup_quota()
    if quota is not None:
        cpus = min(cpus, round(quota))
    return max(1, cpus)


# A worker's interpreter is there because sub-interpreters were chosen, whatever the environment says by now.
_in_main = _bocpy._home_index() == 0
BACKEND = choose_backend(os.environ.get("BOCPY_BACKEND")) if _in_main else "subinterp"
WORKER_COUNT = count_workers(os.environ.get("BOCPY_WORKERS"))
if _in_main:
    import threading  # not in workers, which need not have it

    _bocpy._choose(BACKEND == "subinterp", threading.main_thread().ident or 0)
    _bocpy._configure(WORKER_COUNT)


def backend() -> str:
    """The backend that was chosen at import: ``"threads"`` or ``"subinterp"``."""
    return BACKEND


_gil_stays = False  # once it does, it does so for good


def gil_is_on_to_stay() -> bool:
    """Whether an extension has switched the lock on for good.

    Each import of one does so for its own time, in whatever thread: that passes.
    """
    global _gil_stays
    if _gil_stays:
        return True
    for _ in range(20):
        if not sys._is_gil_enabled():  # type: ignore[attr-defined,unused-ignore]
            return False
        time.sleep(0.005)
    _gil_stays = True
    return True


def warn_if_gil_came_back() -> None:
    """Say so if this is a free-threaded build whose lock an extension has switched on again."""
    if _bocpy.FREE_THREADED_BUILD and gil_is_on_to_stay():
        warnings.warn(  # type: ignore[call-overload,unused-ignore]
            "an extension module has switched the GIL on again: behaviors stay correct but do not run in parallel. "
            "Find it with `python -X gil=0 -W error`, or set PYTHON_GIL=0",
            RuntimeWarning,
            skip_file_prefixes=(os.path.dirname(__file__),),
        )
