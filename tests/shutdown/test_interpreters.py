"""Programs whose workers have values, behaviors and destructors of their own when they end, stop or fork."""

from __future__ import annotations

import sys

import pytest
from _program import run

WORKERS = pytest.mark.parametrize("workers", [1, 4])

# Python itself warns about a fork in a process with threads (3.12+): that is not what these tests are about.
QUIET = ("-W", "ignore::DeprecationWarning")

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/statm")

RESIDENT = """
    import os, sys, threading, time
    import bocpy
    from bocpy import Cown, read, when

    class Item:
        def __init__(self, n):
            self.n = n

    def fill(c):
        c.value = [c.value, Item(c.value), bytearray(100_000), {{"x": c.value}}, Cown([c.value])]

    cowns = [Cown(i) for i in range(16)]
    for c in cowns:
        when(c)(fill)
    {rest}
"""

ENDINGS = {
    "at once": "print('end')",
    "after quiesce": "bocpy.quiesce(); print('end')",
    "after wait": "bocpy.wait(); print('end')",
    "after a restart": "bocpy.wait(); bocpy.start(3); when(cowns)(len); bocpy.quiesce(); print('end')",
    "exit": "print('end'); sys.exit(0)",
    "values looked at": "bocpy.wait(); kept = [c.value for c in cowns]; print('end')",
    "readers": "[when(read(cowns))(len) for _ in range(20)]; print('end')",
    "a hold": "cowns[3].acquire(); cowns[3].value.append(1); print('end')",
    "locks": "[when(c)(lambda c: c.value.append(threading.Lock())) for c in cowns]; bocpy.quiesce(); print('end')",
    "generators": "[when(c)(lambda c: c.value.append(x for x in [1])) for c in cowns]; print('end')",
    "a global cycle": "cowns.append(cowns); kept = when(cowns[0])(lambda c: c); print('end')",
}


@WORKERS
@pytest.mark.parametrize("ending", ENDINGS)
def test_values_in_workers(ending: str, workers: int) -> None:
    run(RESIDENT.format(rest=ENDINGS[ending]), workers=workers).check(out=["end"])


@WORKERS
@pytest.mark.parametrize("how", ["", "sys.exit(3)", "raise KeyError('of main')"])
def test_behaviors_run_while_main_ends(how: str, workers: int) -> None:
    """What runs goes on to its end, and so does what it schedules; values move meanwhile."""
    source = RESIDENT.format(
        rest=f"""
    def slow(a, b, turns):
        time.sleep(0.002)
        a.value.append(turns)
        if turns:
            bocpy.whencall(slow, [b, a], [turns - 1])
        else:
            sys.stdout.write("last\\n")

    for i in range(0, 16, 4):
        bocpy.whencall(slow, [cowns[i], cowns[i + 1]], [10])
    {how}
    """
    )
    code = {"": 0, "sys.exit(3)": 3}.get(how, 1)
    run(source, workers=workers).check(code=code, out=["last"] * 4, err=None if code == 1 else "")


@WORKERS
@pytest.mark.parametrize("values", ["[Loud(), bytearray(2_000_000)]", "Loud().method", "[threading.Lock(), Loud()]"])
@pytest.mark.parametrize("rest", ["", "bocpy.wait()"])
def test_destructors_at_the_end(values: str, rest: str, workers: int) -> None:
    """Each runs at most once and never into a dead interpreter; of those dropped before the end each has run."""
    source = f"""
    import os, threading
    import bocpy
    from bocpy import Cown, when

    class Loud:
        def method(self):
            pass
        # Bound early: free-threaded builds bury some objects when the names of the module are gone.
        def __del__(self, write=os.write):
            write(1, b"gone\\n")

    def fill(c):
        c.value = {values}

    kept = [Cown(0) for _ in range(4)]
    dropped = [Cown(0) for _ in range(4)]
    for c in kept + dropped:
        when(c)(fill)
    bocpy.quiesce()
    del c, dropped
    {rest}
    """
    ended = run(source, workers=workers).check(out=None)
    assert set(ended.lines) <= {"gone"} and 4 <= len(ended.lines) <= 8, str(ended)


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize("last", ["del c", "box.append(c)"])
@pytest.mark.parametrize("value", ["7", "[7]"])
def test_a_thread_replaces_what_is_just_carried_at_the_end(value: str, last: str, refuses: bool) -> None:
    """On threads nothing is carried then, and the thread is just there."""
    source = f"""
    import os, threading
    import bocpy
    from bocpy import Cown, when

    began, tell = os.pipe()
    done, answer = os.pipe()

    class Slow:
        def __reduce__(self):
            import os
            os.write(tell, b"x")
            os.read(done, 1)
            if {refuses}:
                raise TypeError("not me")
            return int, (1,)

    def replace():
        c = box.pop()
        os.read(began, 1)
        c.acquire()  # not `with c`, which would ask for the value
        c.value = {value}
        c.release()
        with c as present:
            assert present == {value}
        {last}
        kept = [Cown([i]) for i in range(1000)]
        os.write(answer, b"x")
        threading.Event().wait()

    c = Cown(None)
    when(c)(lambda c: setattr(c, "value", Slow())).result()
    bocpy.quiesce()
    box = [c]
    del c
    threading.Thread(target=replace, daemon=True).start()
    print("end")
    """
    run(source, workers=2).check(out=["end"])


@WORKERS
def test_destructors_that_schedule_at_the_end(workers: int) -> None:
    source = """
    import bocpy
    from bocpy import Cown, when

    total = Cown(0)

    class Scheduling:
        def __del__(self, when=when, total=total):  # bound early, as above
            try:
                when(total)(lambda total: setattr(total, "value", total.value + 1))
            except RuntimeError:
                pass  # too late

    def fill(c):
        c.value = Scheduling()

    cowns = [Cown(0) for _ in range(8)]
    for c in cowns:
        when(c)(fill)
    bocpy.quiesce()
    del c
    del cowns[:4]
    bocpy.wait()
    print("end")
    """
    run(source, workers=workers).check(out=["end"])


def test_exit_in_the_middle_of_everything() -> None:
    """sys.exit while behaviors run, values are fetched and readers have copies; again and again."""
    source = RESIDENT.format(
        rest="""
    def mix(a, b):
        a.value.append(1)
        return [len(a.value), len(b.value)]

    for i in range(200):
        when(cowns[i % 16], read(cowns[(i * 5 + 1) % 16]))(mix)
    time.sleep(int(sys.argv[1]) / 1000)
    sys.exit(5)
    """
    )
    for pause in (0, 3, 30):
        run(source, str(pause), workers=4).check(code=5, out=[])


def test_different_counts() -> None:
    """4, 1, 3, 8, 2: values stay with whoever has them and are found again."""
    source = RESIDENT.format(
        rest="""
    def use(c):
        c.value[3]["x"] += 1
        return c.value[1].n

    for count in (4, 1, 3, 8, 2, 1):
        bocpy.wait()
        bocpy.start(count)
        assert [when(c)(use) for c in cowns][-1].result() == 15
        assert len(bocpy.quiesce(stats=True)) == count
    bocpy.wait()
    print([c.value[3]["x"] - 6 for c in cowns] == list(range(16)))
    """
    )
    run(source, workers=2).check(out=["True"])


@LINUX
def test_a_thousand_restarts() -> None:
    """Memory stays flat, whether or not values lie in the workers that stop."""
    source = """
    import gc, os
    import bocpy
    from bocpy import Cown, when

    def rss():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    kept = Cown([0])

    def add(c):
        c.value[0] += 1

    def make(c):
        c.value = [c.value] * 1000

    for i in range(1000):
        bocpy.start(1 + i % 2)
        when(kept)(add)
        when(Cown(i))(make)
        bocpy.wait()
        if i == 200:
            early = rss()
    assert kept.value == [1000]
    print(early, rss())
    """
    early, late = map(float, run(source).check(out=None).out.split())
    assert late - early < 12, f"{early} MiB after 200 restarts, {late} MiB after 1000"


# fork ----------------------------------------------------------------------------------------------------------------

FORK = """
    def use(c):
        return len(c.value)

    def child():
        mine = [Cown([i]) for i in range(8)]
        for c in mine:
            when(c)(lambda c: c.value.append(0))
        print("child", sum(when(c)(use).result() for c in mine), flush=True)
        {ending}

    {state}
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        child()
    _, status = os.waitpid(pid, 0)
    print("exit", os.waitstatus_to_exitcode(status))
    print("parent", [when(c)(use).result() for c in cowns] == [5] * 16)
    bocpy.wait()
    print(sum(len(c.value) for c in cowns))
"""

STATES = {
    "busy": "",
    "idle": "bocpy.quiesce()",
    "stopped": "bocpy.wait()",
    "window": "bocpy.wait(); cowns[0].value",
    "busy for long": "[when(c)(lambda c: time.sleep(0.02)) for c in cowns]",
    "held": "cowns[0].acquire(); cowns[0].release(); cowns[1].acquire(); cowns[1].release()",
}


@pytest.mark.parametrize("ending", ["sys.exit(0)", "bocpy.wait(); sys.exit(0)", "os._exit(0)"])
@pytest.mark.parametrize("state", STATES)
def test_fork_with_live_workers(state: str, ending: str) -> None:
    """The child makes cowns and behaviors of its own; the parent's values are where they were."""
    source = RESIDENT.format(rest="") + FORK.format(state=STATES[state], ending=ending)
    run(source, workers=3, options=QUIET).check(out=["child 16", "exit 0", "parent True", "80"])


def test_many_forks() -> None:
    source = RESIDENT.format(
        rest="""
    def use(c):
        c.value.append(0)
        return len(c.value)

    for round in range(10):
        results = [when(c)(use) for c in cowns]
        pid = os.fork()
        if pid == 0:
            @when(Cown([round]))
            def mine(c):
                return c.value[0]
            os._exit(mine.result() != round)
        assert os.waitpid(pid, 0)[1] == 0, round
        assert [r.result() for r in results] == [6 + round] * 16
    print("end")
    """
    )
    run(source, workers=2, options=QUIET).check(out=["end"])


def test_multiprocessing_forks_beside_values_in_workers() -> None:
    source = RESIDENT.format(
        rest="""
    import multiprocessing

    def add(c):
        c.value += 1

    def total(n):
        c = Cown(0)
        for _ in range(n):
            when(c)(add)
        return c.result()

    bocpy.quiesce()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(total, [5, 10, 15]))
    print(len(when(cowns[0])(lambda c: c.value).result()))
    """
    )
    run(source, workers=2, options=QUIET).check(out=["[5, 10, 15]", "5"])


def test_start_while_tracemalloc_traces() -> None:
    """CPython would hang as it makes an interpreter: refused, and good again afterwards. On threads it works."""
    source = """
        import tracemalloc
        import bocpy

        tracemalloc.start()
        try:
            bocpy.start(2)
        except RuntimeError as error:
            assert "tracemalloc" in str(error), error
            assert bocpy.backend() == "subinterp"
        tracemalloc.stop()
        print(bocpy.whencall(lambda: 7, []).result())
    """
    run(source).check(out=["7"])
