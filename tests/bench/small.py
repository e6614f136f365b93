"""Workloads of small behaviors, in the part of the API that both libraries have.

Each function runs its workload once, checks the result, and returns how long it took: schedule, run and release of
all behaviors, from the first `when` to the return of `quiesce`. What the workload needs is made before the clock
starts. Behaviors live in this module, which is importable: the other library copies a main script into its workers.
"""

from __future__ import annotations

import gc
import os
import random
import threading
import time

import bocpy
from bocpy import Cown, quiesce, start, wait, when, whencall


def add(c):
    c.value += 1


def add_both(a, b):
    a.value += 1
    b.value += 1


def count_down(c):
    c.value -= 1
    if c.value > 0:
        when(c)(count_down)


def touch(c):
    c.value[0] += 1


def hold_until(c, path):
    while not os.path.exists(path):
        time.sleep(0.002)


def captures(c, number):
    c.value += number


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: {got}, expected {expected}")


class Clock:
    """Times a block, with the garbage of what came before collected first."""

    def __enter__(self):
        gc.collect()
        self.begin = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.begin


def chain(n):
    """One behavior that schedules itself n times on a cown of its own."""
    c = Cown(n)
    with Clock() as clock:
        when(c)(count_down)
        quiesce()
    check("left of the chain", c.unwrap(), 0)
    return clock.seconds / n


def two_chains(n):
    """The same twice, side by side: the time per behavior of both together."""
    cowns = [Cown(n // 2), Cown(n // 2)]
    with Clock() as clock:
        for c in cowns:
            when(c)(count_down)
        quiesce()
    check("left of the chains", [c.unwrap() for c in cowns], [0, 0])
    return clock.seconds / (n // 2 * 2)


def fan_out(n):
    """n behaviors, each on a fresh cown, scheduled by main."""
    cowns = [Cown(i) for i in range(n)]
    with Clock() as clock:
        for c in cowns:
            when(c)(add)
        quiesce()
    check("sum of all cowns", sum(c.unwrap() for c in cowns), n * (n + 1) // 2)
    return clock.seconds / n


def one_cown(n):
    """n behaviors on one cown, scheduled by main."""
    c = Cown(0)
    with Clock() as clock:
        for _ in range(n):
            when(c)(add)
        quiesce()
    check("the cown", c.unwrap(), n)
    return clock.seconds / n


def random_pairs(n, cowns=64):
    """n behaviors, each on two of 64 cowns."""
    made = [Cown(0) for _ in range(cowns)]
    choose = random.Random(7)
    pairs = [choose.sample(made, 2) for _ in range(n)]
    with Clock() as clock:
        for a, b in pairs:
            when(a, b)(add_both)
        quiesce()
    check("sum of all cowns", sum(c.unwrap() for c in made), 2 * n)
    return clock.seconds / n


def large_list(n, length=10_000):
    """A list passed along n behaviors of one cown: each looks at one element."""
    c = Cown([0, *range(1, length)])
    with Clock() as clock:
        for _ in range(n):
            when(c)(touch)
        quiesce()
    value = c.unwrap()
    check("the list", (value[0], len(value), value[-1]), (n, length, length - 1))
    return clock.seconds / n


def plant(anchor, mine, others):
    """Wait until the other worker is in here too: each of two workers gets one anchor."""
    with open(mine, "w"):
        pass
    hold_until(anchor, others)
    anchor.value = threading.Lock()


def planted_anchors():
    """Two cowns that each keep their behaviors at one worker. The other library moves values at each step anyway."""
    anchors = [Cown(0), Cown(0)]
    if not hasattr(bocpy, "backend") or bocpy.backend() != "subinterp":
        return anchors
    paths = [os.path.join(os.environ["BENCH_FOLDER"], f"anchor-{os.getpid()}-{i}") for i in range(2)]
    for i in range(2):
        whencall(plant, [anchors[i]], [paths[i], paths[1 - i]])
    quiesce()
    for path in paths:
        os.unlink(path)
    return anchors


def visit_list(c, anchor):
    c.value[0] += 1


def visit_dict(c, anchor):
    c.value["key 0"] += 1


def visit_bytes(c, anchor):
    if len(c.value) != 1 << 20:
        raise AssertionError(len(c.value))


def moving(n, visit, value):
    """A value that is used by two workers in turn, n times."""
    anchors, c = planted_anchors(), Cown(value)
    with Clock() as clock:
        for i in range(n):
            when(c, anchors[i % 2])(visit)
        quiesce()
    return clock.seconds / n, c.unwrap()


def moving_list(n):
    seconds, value = moving(n, visit_list, list(range(10_000)))
    check("the list", (value[0], len(value)), (n, 10_000))
    return seconds


def moving_dict(n):
    seconds, value = moving(n, visit_dict, {f"key {i}": i for i in range(100)})
    check("the dict", (value["key 0"], len(value)), (n, 100))
    return seconds


def moving_bytes(n):
    seconds, value = moving(n, visit_bytes, bytes(1 << 20))
    check("the bytes", len(value), 1 << 20)
    return seconds


TIMED = {
    "chain": (chain, 20_000),
    "two chains": (two_chains, 20_000),
    "fan-out": (fan_out, 20_000),
    "one cown": (one_cown, 20_000),
    "random pairs": (random_pairs, 20_000),
    "list": (large_list, 300),
    "moving list": (moving_list, 300),
    "moving dict": (moving_dict, 2000),
    "moving bytes": (moving_bytes, 1000),
}


def timed(name, samples=3, workers=2):
    """Seconds per behavior of one workload: `samples` times in a warm process."""
    function, n = TIMED[name]
    start(worker_count=workers)
    function(max(20, n // 10))
    return [function(n) for _ in range(samples)]


def start_time(samples=3, workers=2):
    """Seconds until start() returns: the first one of the process."""
    del samples  # a process has one first start; the rounds bring the others
    begin = time.perf_counter()
    start(worker_count=workers)
    seconds = time.perf_counter() - begin
    c = Cown(1)
    when(c)(add)
    quiesce()
    check("the cown", c.unwrap(), 2)
    return [seconds]


def restart_time(samples=3, workers=2):
    """Seconds until start() returns, after a wait() has stopped the workers."""
    times = []
    for _ in range(samples):
        start(worker_count=workers)
        wait()
        begin = time.perf_counter()
        start(worker_count=workers)
        times.append(time.perf_counter() - begin)
        wait()
    return times


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def bytes_queued(samples=1, workers=2, n=200_000):
    """Memory of one queued behavior with one cown and one captured int, while another behavior holds the cown."""
    del samples
    start(worker_count=workers)
    warm, path = Cown(0), os.path.join(os.environ["BENCH_FOLDER"], f"gate-{os.getpid()}")
    for number in range(2000):
        whencall(captures, [warm], [number])
    quiesce()
    c = Cown(0)
    whencall(hold_until, [c], [path])
    numbers = list(range(n))  # the ints are the program's own
    gc.collect()
    before = resident_bytes()
    for number in numbers:
        whencall(captures, [c], [number])
    after = resident_bytes()
    with open(path, "w"):
        pass
    quiesce()
    os.unlink(path)
    check("the cown", c.unwrap(), n * (n - 1) // 2)
    return [(after - before) / n]
