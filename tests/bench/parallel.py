"""Workloads that show what two workers bring; this library only.

Each returns lists of seconds, one per way of doing the same work, taken in turn within one process: the machine's
slow spells hit all of them.
"""

from __future__ import annotations

import multiprocessing
import sysconfig
import threading
import time

from bocpy import Cown, quiesce, start, wait, when
from small import Clock, check, count_down

CPU_TASKS, CPU_STEPS = 64, 40_000
CHAINS, CHAIN_LENGTH = 16, 4_000


def cpu_body(steps):
    """Plain Python: ints, a list, a dict, calls; no object that another worker could see."""
    total, seen, recent = 0, {}, []
    for i in range(steps):
        value = (i * 7919 + total) % 1009
        seen[value] = seen.get(value, 0) + 1
        recent.append(value)
        if len(recent) > 50:
            total += max(recent) - min(recent)
            recent = []
    return total + len(seen)


def cpu_behavior(c):
    c.value = cpu_body(c.value)


def by_workers(workers):
    start(worker_count=workers)
    cowns = [Cown(CPU_STEPS) for _ in range(CPU_TASKS)]
    with Clock() as clock:
        for c in cowns:
            when(c)(cpu_behavior)
        quiesce()
    values = [c.unwrap() for c in cowns]
    wait()
    return clock.seconds, values


def by_pool(pool):
    with Clock() as clock:
        values = pool.map(cpu_body, [CPU_STEPS] * CPU_TASKS, chunksize=1)
    return clock.seconds, values


def cpu(samples=9):
    """CPU-bound bodies: one and two workers against one and two processes of a pool."""
    expected = [cpu_body(CPU_STEPS)] * CPU_TASKS
    # The pools fork before there is any thread, and stay: their start is not what is measured.
    with multiprocessing.Pool(1) as one, multiprocessing.Pool(2) as two:
        ways = {
            "workers 1": lambda: by_workers(1),
            "pool 1": lambda: by_pool(one),
            "workers 2": lambda: by_workers(2),
            "pool 2": lambda: by_pool(two),
        }
        return in_turn(ways, samples, lambda values: check("values", values, expected))


def null_chains(samples=3):
    """16 chains of behaviors that do nothing but count down and go on: one worker, then two."""

    def run(workers):
        start(worker_count=workers)
        cowns = [Cown(CHAIN_LENGTH) for _ in range(CHAINS)]
        with Clock() as clock:
            for c in cowns:
                when(c)(count_down)
            quiesce()
        left = [c.unwrap() for c in cowns]
        wait()
        return clock.seconds, left

    ways = {"workers 1": lambda: run(1), "workers 2": lambda: run(2)}
    return in_turn(ways, samples, lambda left: check("left of the chains", left, [0] * CHAINS))


def codestats(samples=1):
    """The example on the standard library: two workers against two plain threads and one, with the same parsing."""
    import warnings

    from bocpy.examples import codestats as example

    warnings.simplefilter("ignore")
    tree = example.find_sources(sysconfig.get_path("stdlib"), ("site-packages", "dist-packages"))
    expected = example.count_sequentially(tree, "")

    def by_workers():
        start(worker_count=2)
        with Clock() as clock:
            stats = example.count_in_parallel(tree, "")
        wait()
        return clock.seconds, stats

    def by_threads(count):
        with Clock() as clock:
            stats = count_by_threads(example, tree, count)
        return clock.seconds, stats

    ways = {"workers 2": by_workers, "threads 2": lambda: by_threads(2), "threads 1": lambda: by_threads(1)}
    return in_turn(ways, samples, lambda stats: check("statistics", stats, expected))


def count_by_threads(example, tree, count):
    """What a program without behaviors would do: threads that take batches from one iterator, and a lock to merge."""
    packages, lock = {}, threading.Lock()
    batches = iter(example.make_batches(tree.sources))

    def package_of(name):
        return packages.setdefault(name, example.Package(name))

    def body():
        while True:
            with lock:
                batch = next(batches, None)
            if batch is None:
                return
            found = example.analyze(tree.root, batch)
            with lock:
                for name, part in found.items():
                    package_of(name).add(part)
                    for target, times in part.imports.items():
                        example.link(package_of(name), package_of(target), times)

    threads = [threading.Thread(target=body) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return example.summarize(list(packages.values()), tree.problems)


def in_turn(ways, samples, verify):
    """Runs each way once to warm up and then `samples` times, forwards and backwards in turn."""
    times = {name: [] for name in ways}
    for sample in range(samples + 1):
        for name in list(ways) if sample % 2 else reversed(list(ways)):
            seconds, value = ways[name]()
            verify(value)
            if sample:
                times[name].append(seconds)
            time.sleep(0.01)
    return times
