"""Pinned behaviors at the end of a program, under Ctrl-C, over fork and restart."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from _program import INTERRUPTED, run, started

WORKERS = pytest.mark.parametrize("workers", [1, 4])

QUIET = ("-W", "ignore::DeprecationWarning")  # 3.12 warns about forks beside threads

SCHEDULE = """
    import sys, threading
    import bocpy
    from bocpy import Cown, PinnedCown, when

    class Window:
        def __init__(self): self.lock = threading.Lock()
        def show(self, text):
            assert threading.current_thread() is threading.main_thread()
            print(text)

    window = PinnedCown(Window())
    cown = Cown(0)

    @when(cown)
    def work(cown):
        cown.value += 1
        @when(window, cown)
        def show(window, cown):
            window.value.show(f"pinned {cown.value}")
            @when(cown)
            def more(cown):
                cown.value += 1
                @when(window, cown)
                def last(window, cown):
                    window.value.show(f"pinned {cown.value}")
"""

SHOWN = ["pinned 1", "pinned 2"]

ENDINGS = {
    "falling off": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "exception": ("raise ValueError('the end')", 1),
    "started and stopped": ("bocpy.wait()", 0),
}


@WORKERS
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_pending_runs_to_its_end(ending: str, workers: int) -> None:
    how, code = ENDINGS[ending]
    ended = run(f"{SCHEDULE}\n    {how}", workers=workers)
    ended.check(code=code, out=SHOWN, err=None)
    assert ("Traceback" in ended.err) == (code == 1), str(ended)


def test_what_rises_at_the_end_is_shown_and_the_rest_runs() -> None:
    source = """
        import sys
        from bocpy import PinnedCown, when

        pinned = PinnedCown([])

        @when(pinned)
        def leave(pinned):
            sys.exit(3)

        @when(pinned)
        def after(pinned):
            print("after")
    """
    ended = run(source)
    ended.check(code=0, out=["after"], err=None)
    assert "SystemExit: 3" in ended.err


def test_values_go_on_the_main_thread_at_the_end() -> None:
    source = """
        import os, threading
        from bocpy import Cown, PinnedCown, when

        class Tells:
            # Bound early: free-threaded builds bury objects when modules are gone.
            def __del__(self, write=os.write, here=threading.get_ident, main=threading.get_ident()):
                write(1, b"gone %d\\n" % (here() == main))

        box = Cown([PinnedCown(Tells())])
        kept = PinnedCown(Tells())

        @when(box)
        def empty(box):
            box.value.clear()
    """
    run(source).check(out=["gone 1", "gone 1"])


def test_threads_that_wait_for_pinned_behaviors_as_the_program_ends() -> None:
    source = """
        import threading, time
        from bocpy import PinnedCown, when

        pinned = PinnedCown([])

        def elsewhere():
            for i in range(3):
                time.sleep(0.02)  # the main thread has come to its end meanwhile
                @when(pinned)
                def show(pinned):
                    return threading.current_thread() is threading.main_thread()
                print(show.result())

        threading.Thread(target=elsewhere).start()
    """
    run(source).check(out=["True", "True", "True"])


def test_an_executor_of_its_own_does_not_stop_the_end() -> None:
    source = """
        from concurrent.futures import ThreadPoolExecutor
        from bocpy import PinnedCown, when

        pinned = PinnedCown([])
        pool = ThreadPoolExecutor(2)
        print(pool.submit(lambda: 5).result())

        @when(pinned)
        def show(pinned):
            print("shown")
    """
    run(source).check(out=["5", "shown"])


def test_a_listener_does_not_stop_the_end() -> None:
    source = """
        import threading
        from bocpy import PinnedCown, set_pump_notify, when

        told = threading.Event()
        set_pump_notify(told.set)
        pinned = PinnedCown([])

        @when(pinned)
        def show(pinned):
            print("shown")

        assert told.wait(50)
    """
    for _ in range(3):
        run(source).check(out=["shown"])


@pytest.mark.parametrize("call", ["bocpy.pump()", "bocpy.wait()", "runs.result()", "bocpy.quiesce()"])
def test_ctrl_c_in_a_pinned_behavior(call: str) -> None:
    """It ends the behavior, rises where the main thread was, and the runtime goes on."""
    source = f"""
        import time
        import bocpy
        from bocpy import PinnedCown, when

        pinned = PinnedCown([])

        @when(pinned)
        def runs(pinned):
            print("running", flush=True)
            time.sleep(50)

        @when(pinned)
        def after(pinned):
            return "after"

        try:
            {call}
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        print(after.result(50))
        try:
            runs.result()
        except KeyboardInterrupt:
            print("stored")
        bocpy.wait()
    """
    with started(source) as program:
        program.expect("running")
        time.sleep(0.1)
        program.send()
        program.end().check(out=["running", "interrupted", "after", "stored"])


def test_ctrl_c_at_the_end_drops_what_has_not_begun(tmp_path: Path) -> None:
    source = """
        import time
        from bocpy import PinnedCown, when

        pinned = PinnedCown([])

        @when(pinned)
        def runs(pinned):
            print("running", flush=True)
            time.sleep(50)

        @when(pinned)
        def never(pinned):
            print("never")
    """
    with started(source) as program:
        program.expect("running")
        time.sleep(0.1)
        program.send()
        program.end().check(code=INTERRUPTED, out=["running"], err=None)


@WORKERS
@pytest.mark.parametrize("inside", [False, True])
def test_fork(inside: bool, workers: int) -> None:
    """The child has pinned cowns of its own and leaves its parent's alone; also if a pinned behavior forks."""
    source = """
        import os, sys, threading
        import bocpy
        from bocpy import PinnedCown, pump, set_pump_notify, when

        set_pump_notify(lambda: None)
        parents = PinnedCown(["parent's"])
        when(parents)(lambda parents: parents.value)
        pump()

        def child():
            try:
                parents.value
            except RuntimeError as error:
                print("parent's" if "forked" in str(error) else error)
            mine = PinnedCown(threading.Lock())

            @when()
            def work():
                @when(mine)
                def use(mine):
                    return mine.value.acquire(False) and threading.current_thread() is threading.main_thread()
                return use
            print("child", work.result(50).result(50), flush=True)
            os._exit(0)

        def fork():
            pid = os.fork()
            if pid == 0:
                child()
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        INSIDE
        @when(parents)
        def last(parents):
            return len(parents.value)
        print("parent", last.result(50), code)
    """
    code = "code = fork()"
    if inside:
        # In the child nothing of the behavior is left to be waited in: it makes and runs its own, but waits nowhere.
        code = """
        def in_child():
            pid = os.fork()
            if pid == 0:
                mine = PinnedCown(1)
                print(mine.value, flush=True)
                os._exit(0)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        code = when(parents)(lambda parents: in_child()).result(50)
        """.strip()
    ended = run(source.replace("INSIDE", code), workers=workers, options=QUIET)
    ended.check(out=["1", "parent 1 0"] if inside else ["parent's", "child True", "parent 1 0"])


@WORKERS
def test_restarts(workers: int) -> None:
    source = """
        import bocpy
        from bocpy import Cown, PinnedCown, when

        pinned = PinnedCown([])
        cown = Cown(0)
        for i in range(20):
            @when(cown)
            def work(cown):
                cown.value += 1
                @when(pinned, cown)
                def note(pinned, cown):
                    pinned.value.append(cown.value)
            bocpy.wait()
            assert cown.value == i + 1
            pinned.value.append(None)
        print(pinned.value == [x for i in range(20) for x in (i + 1, None)])
    """
    run(source, workers=workers).check(out=["True"])


def test_a_module_imported_by_another_thread_first() -> None:
    """The main thread is the main thread, whoever imports the package."""
    source = """
        import threading

        thread = threading.Thread(target=lambda: __import__("bocpy"))
        thread.start(), thread.join()
        from bocpy import PinnedCown, when

        pinned = PinnedCown(threading.Lock())

        @when(pinned)
        def use(pinned):
            return threading.current_thread() is threading.main_thread()

        print(use.result(50))
    """
    run(source).check(out=["True"])


@pytest.mark.skipif(
    (3, 12) <= sys.version_info < (3, 12, 3),
    reason="CPython 3.12.0 to 3.12.2 start no thread once the main program has ended (gh-113964)",
)
@pytest.mark.parametrize("starter", ["threading.Thread(target=tick)", "threading.Timer(0.01, tick)"])
def test_threads_that_threads_start(starter: str) -> None:
    """Each waits for something pinned when the main thread has nothing left to do but to wait for threads."""
    source = f"""
        import threading
        from bocpy import PinnedCown, when

        pinned, ticks = PinnedCown(0), []

        def tick():
            @when(pinned)
            def add(pinned):
                pinned.value += 1
                return pinned.value

            ticks.append(add.result())
            if len(ticks) < 4:
                {starter}.start()
            else:
                print(ticks)

        {starter}.start()
    """
    run(source).check(out=["[1, 2, 3, 4]"])
