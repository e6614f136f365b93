"""The noticeboard at the end of a program, over a fork, with Ctrl-C, and over many writes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from _program import INTERRUPTED, run, started

# Python itself warns about a fork in a process with threads (3.12+): that is not what these tests are about.
QUIET = ("-W", "ignore::DeprecationWarning")

ENDINGS = {"falling off": "", "sys.exit": "sys.exit()", "wait": "bocpy.wait()", "stopped": "bocpy.wait(); put()"}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_live_values(ending: str) -> None:
    """Values that hold cowns, of main and of workers, whose contents say when they go; snapshots are still held."""
    source = f"""
        import os, sys
        import bocpy
        from bocpy import Cown, notice_write, noticeboard, when

        class Loud:
            def __init__(self, name):
                self.name = name
            def __del__(self):
                os.write(1, f"{{self.name}} goes\\n".encode())

        def put():
            def fill(c):
                c.value = Loud("of a worker")
            cowns = {{"a": [Cown([1])], "b": Cown(None)}}
            when(cowns["b"])(fill)
            notice_write("cowns", cowns)

        put()
        notice_write("bytes", bytes(1 << 20))
        board = noticeboard()
        there = board["cowns"]
        bocpy.quiesce()
        del board, there
        {ending}
    """
    ended = run(source, workers=2).check(out=None)
    assert set(ended.lines) == {"of a worker goes"}, str(ended)
    assert len(ended.lines) == (2 if "put()" in ending else 1), str(ended)


def test_a_snapshot_is_held_to_the_end() -> None:
    source = """
        import bocpy
        from bocpy import Cown, notice_write, noticeboard, when

        notice_write("cowns", [Cown([1]), Cown(2)])
        board = noticeboard()
        cowns = board["cowns"]
        in_a_cown = Cown(None)

        @when(in_a_cown)
        def keeps(in_a_cown):
            in_a_cown.value = noticeboard()
            in_a_cown.value["cowns"]

        keeps.result()
    """
    run(source, workers=2).check(out=[])


def test_failures_on_the_noticeboard_are_reported_at_the_end() -> None:
    source = """
        from bocpy import notice_write, quiesce, when

        @when()
        def fails():
            raise ValueError("nobody looked")

        notice_write("result", [fails])
        del fails
        quiesce()
    """
    ended = run(source, workers=2).check(out=[], err=None, reports=True)
    assert ended.err.count("ValueError: nobody looked") == 1, str(ended)


def test_destructors_schedule_at_the_end() -> None:
    """On threads the values themselves go with the noticeboard; elsewhere they never were objects."""
    source = """
        import bocpy
        from bocpy import notice_read, notice_write, when

        class Schedules:
            def __del__(self):
                when()(lambda: notice_write("too", "late"))

        notice_write("k", [Schedules()])
        notice_read("k")

        @when()
        def reads():
            notice_read("k")
    """
    run(source, workers=2).check(out=[])


def test_exit_handlers_use_the_noticeboard() -> None:
    source = """
        import atexit

        @atexit.register  # runs after bocpy's own, which is registered later
        def last():
            notice_write("k", [1])
            notice_update("k", lambda value: value + [2])
            print(dict(noticeboard()))

        from bocpy import Cown, notice_update, notice_write, noticeboard
        notice_write("old", Cown(1))
    """
    run(source, workers=2).check(out=["{'k': [1, 2]}"])


def test_a_daemon_thread_updates_at_the_end() -> None:
    source = """
        import threading, time
        from bocpy import Cown, notice_update, notice_write, quiesce

        inside = threading.Event()

        def endless(value):
            inside.set()
            while True:
                time.sleep(0.001)

        def writes():
            while True:
                notice_write("k", [Cown(1)])
                notice_update("other", lambda n: n + 1, 0)

        threading.Thread(target=lambda: notice_update("k", endless), daemon=True).start()
        threading.Thread(target=lambda: notice_update("k", endless), daemon=True).start()
        threading.Thread(target=writes, daemon=True).start()
        inside.wait()
        print("ended")
    """
    run(source, workers=2).check(out=["ended"])


# Forks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", "bocpy.start()", "when()(lambda: notice_update('n', add, 0)).result()"])
def test_a_forked_child_starts_with_an_empty_noticeboard(before: str) -> None:
    source = f"""
        import os
        import bocpy
        from bocpy import Cown, notice_read, notice_update, notice_write, noticeboard, when

        def add(n):
            return n + 1

        notice_write("k", [Cown([1])])
        kept = noticeboard()
        {before}
        pid = os.fork()
        if pid == 0:
            assert len(noticeboard()) == 0 and notice_read("k") is None
            assert len(kept) == 1
            try:
                kept["k"][0].result()
            except RuntimeError as error:
                print("child", str(error)[:40], flush=True)
            notice_write("k", "of the child")
            when()(lambda: notice_update("k", lambda value: [value])).result()
            del kept
            print("child", bocpy.wait(noticeboard=True), flush=True)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        print("parent", status, notice_read("k")[0].result(), len(kept))
        notice_update("k", len)
        print(bocpy.wait(noticeboard=True)["k"])
    """
    ended = run(source, workers=2, options=QUIET)
    ended.check(
        out=[
            "child this cown belongs to the process that th",
            "child {'k': ['of the child']}",
            "parent 0 [1] 1",
            "1",
        ]
    )


def test_forks_while_others_use_the_noticeboard() -> None:
    """Whatever lock is held and whoever has a turn: nobody in the child waits for them."""
    source = """
        import os, threading
        import bocpy
        from bocpy import notice_read, notice_update, notice_write, noticeboard

        stop = False

        def uses(number):
            while not stop:
                notice_write(f"k{number}", [number])
                notice_update("n", lambda n: n + 1, 0)
                dict(noticeboard())

        threads = [threading.Thread(target=uses, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for round in range(30):
            pid = os.fork()
            if pid == 0:
                notice_update("n", lambda n: n + 1, 0)
                notice_write("k", 1)
                os._exit(0 if dict(noticeboard()) == {"n": 1, "k": 1} else 1)
            assert os.waitpid(pid, 0)[1] == 0
        stop = True
        for thread in threads:
            thread.join()
        print(notice_read("k1"))
    """
    run(source, workers=2, options=QUIET).check(out=["[1]"])


def test_a_fork_in_an_update_function() -> None:
    source = """
        import os
        from bocpy import notice_read, notice_update, notice_write

        def forks(value):
            pid = os.fork()
            if pid == 0:
                return "of the child"
            assert os.waitpid(pid, 0)[1] == 0
            return "of the parent"

        me = os.getpid()
        notice_write("k", 1)
        notice_update("k", forks)
        if os.getpid() != me:
            assert notice_read("k") is None
            notice_update("k", lambda value: "again")
            print("child", notice_read("k"), flush=True)
            os._exit(0)
        notice_update("k", lambda value: [value])
        print("parent", notice_read("k"))
    """
    run(source, workers=2, options=QUIET).check(out=["child again", "parent ['of the parent']"])


# Ctrl-C ---------------------------------------------------------------------------------------------------------------

REACH = 0.15  # until the program has got from its marker to the call that waits


def test_ctrl_c_while_another_updates(tmp_path: Path) -> None:
    source = """
        import os, sys, time
        from bocpy import notice_read, notice_update, when

        gate = sys.argv[1]
        begun, tell = os.pipe()

        def slow(value):
            print("inside", flush=True)
            os.write(tell, b"x")
            while not os.path.exists(gate):
                time.sleep(0.005)
            return "slow"

        held = when()(lambda: notice_update("k", slow))
        os.read(begun, 1)
        try:
            print("waiting", flush=True)
            notice_update("k", lambda value: "never")
        except KeyboardInterrupt:
            print("interrupted", notice_read("k"), flush=True)
        open(gate, "w").close()
        held.result()
        notice_update("k", lambda value: [value])
        print(notice_read("k"))
    """
    with started(source, str(tmp_path / "gate"), workers=2) as program:
        program.expect("inside", "waiting")
        time.sleep(REACH)
        program.send()
        program.end().check(out=None)
    assert program.output[-2:] == ["interrupted None\n", "['slow']\n"], program.output


def test_ctrl_c_in_the_function() -> None:
    source = """
        import time
        from bocpy import notice_read, notice_update, notice_write

        def slow(value):
            print("inside", flush=True)
            while True:
                time.sleep(0.005)

        notice_write("k", 1)
        try:
            notice_update("k", slow)
        except KeyboardInterrupt:
            notice_update("k", lambda value: value + 1)
            print(notice_read("k"), flush=True)
        notice_update("k", slow)
    """
    with started(source, workers=2) as program:
        program.expect("inside")
        program.send()
        program.expect("2", "inside")
        program.send()
        ended = program.end().check(code=INTERRUPTED, out=["inside", "2", "inside"], err=None)
    assert ended.err.rstrip().endswith("KeyboardInterrupt"), str(ended)


# Memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory use from /proc")
def test_memory_stays() -> None:
    """100,000 writes and updates, on one key and on many that are deleted again, from main and from behaviors."""
    source = """
        import os
        import bocpy
        from bocpy import REMOVED, Cown, notice_delete, notice_read, notice_update, notice_write, noticeboard, when

        def rss():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

        def use(round):
            for i in range(100):
                notice_write("same", [i] * 100)
                notice_write(f"k{i}", {"text": "x" * 100})
                notice_update("sum", lambda n: n + 1, 0)
                notice_update(f"k{i}", lambda value: (value, Cown(i)))
            dict(noticeboard())
            for i in range(100):
                if i % 2:
                    notice_delete(f"k{i}")
                else:
                    notice_update(f"k{i}", lambda value: REMOVED)

        for round in range(250):
            if round % 2:
                use(round)
            else:
                when()(lambda: use(round)).result()
            if round == 50:
                early = rss()
        late = rss()
        assert notice_read("sum") == 25_000
        assert late - early < 20, (early, late)
        print(sorted(bocpy.wait(noticeboard=True)))
    """
    run(source, workers=2).check(out=["['same', 'sum']"])
