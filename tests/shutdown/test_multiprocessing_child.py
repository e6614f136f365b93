"""multiprocessing with every start method: processes that use bocpy, started by programs that use it too."""

from __future__ import annotations

import pytest
from _program import run

METHODS = pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])

# Python itself warns about a fork in a process with threads (3.12+).
QUIET = ("-W", "ignore::DeprecationWarning")

# The children run what their parent runs: a process of its own for each, all with two workers.
HEAD = """
    import multiprocessing, os, sys, time
    import bocpy
    from bocpy import Cown, when

    def add(c, n):
        c.value += n.value

    def use_bocpy(n):
        total = Cown(0)
        for i in range(n):
            when(total, Cown(i))(add)
        value = total.result()
        bocpy.wait()
        return value

    def leaves_work_behind(path, n):
        for i in range(n):
            when(Cown(path))(write)

    def write(path):
        with open(path.value, "a") as file:
            file.write("x")

    def again(c):
        c.value += 1
        if c.value < 30_000:
            when(c)(again)

    def exits(code):
        when(Cown(0))(again)
        sys.exit(code)

    def fails():
        when(Cown(0))(again)
        raise ValueError("of the process")

    def queue_user(queue, n):
        queue.put(use_bocpy(n))
"""


def program(method: str, body: str) -> str:
    indented = body.replace("\n", "\n    ")
    start = f"    if __name__ == '__main__':\n        context = multiprocessing.get_context({method!r})"
    return f"{HEAD}\n{start}{indented}\n"


@METHODS
def test_pool(method: str) -> None:
    body = """
    busy = Cown(0)
    when(busy)(again)
    with context.Pool(2) as pool:
        print(pool.map(use_bocpy, [10, 20, 30, 40]))
    print(use_bocpy(50), busy.result())
    """
    sums = [sum(range(n)) for n in (10, 20, 30, 40)]
    run(program(method, body), workers=2, options=QUIET).check(out=[str(sums), f"{sum(range(50))} 30000"])


@METHODS
def test_processes_and_a_queue(method: str) -> None:
    body = """
    busy = Cown(0)
    when(busy)(again)
    queue = context.Queue()
    processes = [context.Process(target=queue_user, args=(queue, n)) for n in (10, 20)]
    for p in processes:
        p.start()
    print(sorted(queue.get() for p in processes))
    for p in processes:
        p.join()
    print([p.exitcode for p in processes], use_bocpy(30), busy.result())
    """
    out = [str([sum(range(10)), sum(range(20))]), f"[0, 0] {sum(range(30))} 30000"]
    run(program(method, body), workers=2, options=QUIET).check(out=out)


@METHODS
def test_process_that_does_not_wait(method: str) -> None:
    """A process runs what it scheduled before it ends, as a program does."""
    body = """
    path = os.path.abspath("written")
    process = context.Process(target=leaves_work_behind, args=(path, 50))
    process.start()
    process.join()
    print(process.exitcode, open(path).read().count("x") if os.path.exists(path) else "nothing")
    """
    run(program(method, body), workers=1, options=QUIET).check(out=["0 50"])


@METHODS
def test_processes_that_exit_and_fail(method: str) -> None:
    body = """
    processes = [context.Process(target=exits, args=(7,)), context.Process(target=fails)]
    for p in processes:
        p.start()
    for p in processes:
        p.join()
    print([p.exitcode for p in processes])
    """
    ended = run(program(method, body), workers=2, options=QUIET).check(out=["[7, 1]"], err=None)
    assert ended.err.count("ValueError: of the process") == 1, str(ended)


@METHODS
def test_process_that_is_terminated(method: str) -> None:
    body = """
    processes = [context.Process(target=time.sleep, args=(100,)) for _ in range(2)]
    when(Cown(0))(again)
    for p in processes:
        p.start()
    time.sleep(0.1)
    processes[0].terminate()
    processes[1].kill()
    for p in processes:
        p.join()
    print([p.exitcode for p in processes], use_bocpy(10))
    """
    run(program(method, body), workers=2, options=QUIET).check(out=[f"[-15, -9] {sum(range(10))}"])


def test_executor_of_processes() -> None:
    """concurrent.futures brings threads of its own, and an end of its own."""
    body = """
    from concurrent.futures import ProcessPoolExecutor
    when(Cown(0))(again)
    executor = ProcessPoolExecutor(2, mp_context=context)
    futures = [executor.submit(use_bocpy, n) for n in (10, 20)]
    print([f.result() for f in futures])
    when(Cown(0))(again)
    """
    out = [str([sum(range(10)), sum(range(20))])]
    for method in ("fork", "spawn"):
        run(program(method, body), workers=2, options=QUIET).check(out=out)


def test_process_of_a_behavior() -> None:
    """Spawned from a worker: a fresh interpreter, so nothing of the worker's matters to it."""
    source = """
        import subprocess, sys
        from bocpy import Cown, when

        CHILD = '''
        import bocpy
        from bocpy import Cown, when

        @when(Cown(20))
        def twice(c):
            print(2 * c.value)
        '''

        @when(Cown(CHILD.replace("\\n        ", "\\n")))
        def runs(c):
            return subprocess.run([sys.executable, "-c", c.value], capture_output=True, text=True).stdout
        print(runs.result().strip())
    """
    run(source, workers=2).check(out=["40"])
