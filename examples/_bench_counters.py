"""What the counters of the workers say about a run, as ratios that can be compared between runs."""

from __future__ import annotations

import statistics
from typing import Any

Stats = list[dict[str, int]]


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def gini(counts: list[int]) -> float | None:
    """0: all the same; towards 1: one has it all."""
    ordered, total = sorted(counts), sum(counts)
    if not total:
        return None
    weighted = sum(rank * count for rank, count in enumerate(ordered, 1))
    return 2 * weighted / (len(ordered) * total) - (len(ordered) + 1) / len(ordered)


def derive(stats: Stats) -> dict[str, Any]:
    """Ratios over all workers, from the start of the workers to their end."""
    total = {name: sum(worker[name] for worker in stats) for name in stats[0]}
    executed = [worker["executed"] for worker in stats]
    return {
        "executed_per_worker": executed,
        "producer_index": max(stats, key=lambda worker: worker["dispatched"])["worker_index"],
        # The queues of workers do not count tries of an operation.
        "enq_retry_ratio": None,
        "steal_yield": ratio(total["stolen"], total["steal_attempts"]),
        "idle_ratio": ratio(total["parked"], total["executed"]),
        "fairness_cv": ratio(statistics.pstdev(executed), statistics.fmean(executed)),
        "fairness_gini": gini(executed),
    }
