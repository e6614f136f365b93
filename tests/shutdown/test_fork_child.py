"""os.fork: the parent does not notice, the child starts afresh and leaves the parent's cowns alone."""

from __future__ import annotations

import signal

import pytest
from _program import Ended, run

WORKERS = pytest.mark.parametrize("workers", [1, 8])

# Python itself warns about a fork in a process with threads (3.12+): that is not what these tests are about.
QUIET = ("-W", "ignore::DeprecationWarning")


def fork(source: str, workers: int = 2) -> Ended:
    return run(source, workers=workers, options=QUIET)


# What the parent was doing when it forked.
BEFORE = {
    "imported": "",
    "cowns": "c = Cown([1]); pending = Cown(0)",
    "idle": "when(c)(add); bocpy.quiesce()",
    "stopped": "when(c)(add); bocpy.wait()",
    "started": "bocpy.start()",
    "running": """
    for i in range(50):
        @when(Cown(i))
        def slow(c):
            time.sleep(0.005)
        when(c)(add)
    """,
    "busy": """
    def again(c):
        c.value += 1
        if c.value < 20_000:
            when(c)(again)
    for i in range(8):
        when(Cown(0))(again)
    """,
}

PARENT_AND_CHILD = """
    import os, sys, time
    import bocpy
    from bocpy import Cown, when

    c = Cown([1])

    def add(c):
        c.value.append(len(c.value) + 1)

    def twice(c):
        return 2 * c.value
    {before}
    pid = os.fork()
    if pid == 0:
        {child}
    _, status = os.waitpid(pid, 0)
    print("child", os.waitstatus_to_exitcode(status))
    when(c)(add)
    print("parent", when(Cown(4))(twice).result())
    bocpy.wait()
    with c as value:
        print(value[:2])
"""


def parent_and_child(before: str, child: str, workers: int) -> Ended:
    return fork(PARENT_AND_CHILD.format(before=before, child=child), workers)


@WORKERS
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE.keys())
def test_child_runs_behaviors_of_its_own(before: str, workers: int) -> None:
    child = """
        for round in range(3):
            result = when(Cown(10 + round))(twice)
            print("of the child", result.result(), flush=True)
            bocpy.wait()
        os._exit(5)
    """
    ended = parent_and_child(before, child.strip(), workers)
    ended.check(out=["of the child 20", "of the child 22", "of the child 24", "child 5", "parent 8", "[1, 2]"])


ENDINGS = {
    "os._exit": ("os._exit(3)", 3),
    "sys.exit": ("sys.exit(3)", 3),
    "falling off": ("raise SystemExit", 0),
    "exception": ("raise ValueError('of the child')", 1),
    "killed": ("os.kill(os.getpid(), 9)", -signal.SIGKILL),
    "exec": ("os.execv(sys.executable, [sys.executable, '-c', 'raise SystemExit(3)'])", 3),
}


@pytest.mark.parametrize("use", ["pass", "when(Cown(1))(twice)", "when(Cown(1))(twice).result()", "bocpy.start()"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_child_ends(ending: str, use: str) -> None:
    """In every way, whether it used the runtime or not."""
    how, code = ENDINGS[ending]
    ended = parent_and_child(BEFORE["running"], f"{use}\n        {how}", 2).check(out=None, err=None)
    assert ended.lines == [f"child {code}", "parent 8", "[1, 2]"], str(ended)
    assert ended.err.count("Traceback") == (ending == "exception"), str(ended)


@WORKERS
def test_child_drains_at_its_end(workers: int) -> None:
    """Its own behaviors run before it ends; its parent's are the parent's: nothing runs twice."""
    source = """
        import os, sys, time
        import bocpy
        from bocpy import Cown, when

        c = Cown(0)

        @when(c)
        def slow(c):
            time.sleep(0.1)

        for i in range(20):
            @when(c)
            def of_the_parent(c):
                c.value += 1
                print("parent's")

        pid = os.fork()
        if pid == 0:
            mine = Cown(0)
            for i in range(20):
                @when(mine)
                def of_the_child(c):
                    c.value += 1
                    print("child's")
            sys.exit(4)
        _, status = os.waitpid(pid, 0)
        print("child", os.waitstatus_to_exitcode(status))
    """
    ended = fork(source, workers).check(out=None)
    assert sorted(ended.lines) == ["child 4"] + ["child's"] * 20 + ["parent's"] * 20, str(ended)


TOUCH = {
    "when": "when(c)(add)",
    "when with an own cown": "when(Cown(1), c)(lambda a, b: None)",
    "read": "when(read(c))(add)",
    "group": "when([Cown(1), c])(lambda g: None)",
    "with": "with c: pass",
    "acquire": "c.acquire()",
    "hold": "with hold(Cown(1), c): pass",
    "result": "c.result()",
    "unwrap": "c.unwrap()",
    "value": "c.value",
    "result of a pending one": "pending.result()",
    "when on a pending one": "when(pending)(add)",
}


@pytest.mark.parametrize("runtime", ["pass", "when(Cown(1))(twice).result()"])
def test_parents_cowns_in_the_child(runtime: str) -> None:
    """They raise RuntimeError wherever they would be used; to look at them, compare and drop them is fine."""
    attempts = "".join(
        f"""
            try:
                {call}
            except RuntimeError as error:
                assert "fork" in str(error), error
            else:
                print("no error:", {name!r})
        """
        for name, call in TOUCH.items()
    )
    source = f"""
        import gc, os, sys, time
        import bocpy
        from bocpy import Cown, hold, read, when

        c, held = Cown([1]), Cown([2])

        def add(c):
            c.value.append(2)

        def twice(c):
            return 2 * c.value

        @when(c)
        def pending(c):
            time.sleep(0.1)

        pid = os.fork()
        if pid == 0:
            {runtime}
            {attempts}
            repr(c), repr(pending), hash(c), c == pending, c == Cown(1), {{c: 1}}
            del c, pending
            gc.collect()
            print("of the child", when(Cown(4))(twice).result())
            sys.exit(3)
        _, status = os.waitpid(pid, 0)
        when(c)(add)
        print("child", os.waitstatus_to_exitcode(status), c.result())
    """
    fork(source).check(out=["of the child 8", "child 3 [1, 2]"])


@WORKERS
@pytest.mark.parametrize("ending", ["os._exit(4)", "sys.exit(4)"])
def test_fork_while_main_holds_a_cown(ending: str, workers: int) -> None:
    """The hold is the parent's. Leaving the `with` in the child disturbs nothing, and hides no exception."""
    source = f"""
        import os, sys
        import bocpy
        from bocpy import Cown, when

        c = Cown([1])
        with c as value:
            @when(c)
            def behind(c):
                c.value.append("behind")
            pid = os.fork()
            if pid == 0:
                try:
                    c.value
                except RuntimeError:
                    print("not here", flush=True)
                {ending}
            _, status = os.waitpid(pid, 0)
            value.append("held")
            print("child", os.waitstatus_to_exitcode(status), c.value, c.acquired)
        print(c.result())
    """
    fork(source, workers).check(out=["not here", "child 4 [1, 'held'] True", "[1, 'held', 'behind']"])


@WORKERS
def test_fork_in_a_thread(workers: int) -> None:
    """The forking thread is the child's main thread."""
    source = """
        import os, threading
        import bocpy
        from bocpy import Cown, when

        def twice(c):
            return 2 * c.value

        def again(c):
            c.value += 1
            if c.value < 5000:
                when(c)(again)

        busy = Cown(0)
        when(busy)(again)

        def body():
            pid = os.fork()
            if pid == 0:
                code = when(Cown(4))(twice).result()
                bocpy.wait()
                os._exit(code)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

        codes = []
        threads = [threading.Thread(target=body) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        bocpy.quiesce()
        print(codes, busy.result())
    """
    fork(source, workers).check(out=["[8, 8, 8, 8] 5000"])


@pytest.mark.parametrize(
    ("leave", "code", "said"),
    [
        ("os._exit(7)", 7, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('no more')", 1, "no more"),
        ("raise KeyError('lost')", 1, "KeyError: 'lost'"),
        ("return", 0, ""),
    ],
)
def test_fork_in_a_behavior(leave: str, code: int, said: str) -> None:
    """A worker's child may leave in any way; where sub-interpreters forbid the fork, the error is the result."""
    source = f"""
        import os, sys
        from bocpy import Cown, when

        @when(Cown(0))
        def forks(c):
            pid = os.fork()
            if pid == 0:
                {leave}
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        try:
            print("child", forks.result())
        except RuntimeError as error:
            print("refused" if "fork" in str(error) else error)

        @when(Cown(2))
        def after(c):
            print("after", c.value)
    """
    ended = fork(source).check(out=None, err=None)
    assert ended.lines[0] == "refused" or said in ended.err
    assert ended.lines in ([f"child {code}", "after 2"], ["refused", "after 2"]), str(ended)


@WORKERS
def test_many_forks_and_generations(workers: int) -> None:
    """Eight children in turn, each with a child of its own, while the parent's behaviors run."""
    source = """
        import os, sys
        import bocpy
        from bocpy import Cown, when

        def twice(c):
            return 2 * c.value

        def again(c):
            c.value += 1
            if c.value < 20_000:
                when(c)(again)

        busy = [Cown(0) for _ in range(4)]
        for c in busy:
            when(c)(again)

        codes = set()
        for i in range(8):
            pid = os.fork()
            if pid == 0:
                of_the_child = when(Cown(3))(twice)
                grandchild = os.fork()
                if grandchild == 0:
                    os._exit(when(Cown(2))(twice).result())
                code = os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1])
                os._exit(10 * of_the_child.result() + code)
            codes.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        bocpy.quiesce()
        print(codes, [c.result() for c in busy])
    """
    fork(source, workers).check(out=["{64} [20000, 20000, 20000, 20000]"])


@WORKERS
def test_child_gets_ctrl_c(workers: int) -> None:
    """The child waits like any program: interrupted, it drops what is queued and says so by its exit code."""
    source = """
        import os, signal, time
        import bocpy
        from bocpy import Cown, when

        when(Cown(0))(lambda c: None).result()
        running, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            def again(c):
                when(c)(again)
            when(Cown(0))(lambda c: os.write(tell, b"x"))
            when(Cown(0))(again)
            bocpy.wait()
        os.read(running, 1)
        time.sleep(0.3)
        os.kill(pid, signal.SIGINT)
        _, status = os.waitpid(pid, 0)
        print("child", os.waitstatus_to_exitcode(status) in (-2, 130))
    """
    ended = fork(source, workers).check(out=["child True"], err=None)
    assert ended.err.count("Traceback") <= 1, str(ended)


@WORKERS
def test_subprocesses(workers: int) -> None:
    """From main and from behaviors, while behaviors run."""
    source = """
        import subprocess, sys
        from bocpy import Cown, when

        def echo(text):
            program = f"print({text!r})"
            return subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True).stdout.strip()

        results = []
        for i in range(4):
            @when(Cown(i))
            def runs(c):
                return echo(f"behavior {c.value}")
            results.append(runs)
        print(echo("main"))
        print([r.result() for r in results])
    """
    run(source, workers=workers).check(out=["main", str([f"behavior {i}" for i in range(4)])])
