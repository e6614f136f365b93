"""Messages and who waits for them at the end of a program, and with Ctrl-C."""

from __future__ import annotations

import time

import pytest
from _program import INTERRUPTED, run, started

WORKERS = pytest.mark.parametrize("workers", [1, 2, 8])

REACH = 0.15  # seconds in which a program gets from its last line of output into its wait

ENDINGS = {
    "falling off": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "exception": ("raise ValueError('the end')", 1),
}


@pytest.mark.parametrize("stopped", ["", "bocpy.wait()"], ids=["running", "stopped"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_messages_that_nobody_receives(ending: str, stopped: str) -> None:
    how, code = ENDINGS[ending]
    source = f"""
        import os, sys
        import bocpy
        from bocpy import Cown, Matrix, PinnedCown, send, when

        class Loud:
            def __del__(self):
                os.write(1, b"goes\\n")

        def put():
            def fill(c):
                c.value = Loud()
            cown = Cown(None)
            when(cown)(fill)
            send("cowns", [cown, PinnedCown(None)])

        put()
        for value in (1, "text" * 100, bytes(1 << 20), [Matrix(50, 50)], {{"a": [1]}}, ValueError("x")):
            for tag in "abc":
                send(tag, value)

        @when()
        def sends():
            send("from a behavior", [1, 2, 3])

        sends.result()
        {stopped}
        {how}
    """
    ended = run(source, workers=2).check(code=code, out=["goes"], err=None)
    assert ("Traceback" in ended.err) == (code == 1), str(ended)


WAITERS = """
    import sys, threading
    import bocpy
    from bocpy import CancelledError, Cown, PinnedCown, receive, send, when

    c = Cown(0)

    @when(c)
    def waits(c):
        send("ready", 1)
        try:
            receive(["never", "nor this"])
        except CancelledError as error:
            print(error)
        c.value += 1

    @when(c)
    def behind(c):
        print("behind", c.value)

    receive("ready", 50)
"""

GIVEN_UP = "receive() was given up: the program ends, and nobody is left who could send a message"


@WORKERS
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_behavior_that_waits_for_ever(ending: str, workers: int) -> None:
    """It is given up when nothing else is left, and what is queued behind it runs."""
    how, code = ENDINGS[ending]
    ended = run(f"{WAITERS}\n    {how}", workers=workers).check(code=code, out=[GIVEN_UP, "behind 1"], err=None)
    assert ("Traceback" in ended.err) == (code == 1), str(ended)


@WORKERS
def test_a_given_up_behavior_is_no_failure_to_report(workers: int) -> None:
    source = """
        from bocpy import receive, when
        for i in range(5):
            @when()
            def serves():
                while True:
                    receive(f"tag {i}")
        """
    run(source, workers=workers).check(out=[])


@WORKERS
def test_nothing_is_given_up_while_others_may_send(workers: int) -> None:
    """Behaviors that still run, and threads that still live, send at the last moment."""
    source = """
        import threading, time
        from bocpy import receive, send, when

        def late():
            time.sleep(0.3)
            send("from a thread", 1)

        @when()
        def waits_for_the_thread():
            print("thread", receive("from a thread")[1])

        threading.Thread(target=late).start()
    """
    run(source, workers=workers).check(out=["thread 1"])
    if workers == 1:
        return
    source = """
        import time
        from bocpy import receive, send, when

        @when()
        def waits_for_the_behavior():
            print("behavior", receive("from a behavior")[1])
            send("the end", 2)

        @when()
        def sends_late():
            time.sleep(0.3)
            send("from a behavior", 1)
            print("end", receive("the end")[1])
    """
    assert sorted(run(source, workers=workers).check(out=None).lines) == ["behavior 1", "end 2"]


@WORKERS
def test_a_time_out_runs_out_at_the_end(workers: int) -> None:
    source = """
        from bocpy import receive, when
        @when()
        def waits():
            print(receive("never", 0.3, lambda: "after"))
        """
    run(source, workers=workers).check(out=["after"])


def test_behaviors_that_wait_with_none_to_run_the_rest() -> None:
    """The only worker waits: what is ready behind it runs once that is given up."""
    source = """
        from bocpy import CancelledError, receive, when
        @when()
        def waits():
            receive("never")
        for i in range(3):
            @when()
            def ready():
                print("ready", i)
        """
    run(source, workers=1).check(out=["ready 0", "ready 1", "ready 2"])


def test_a_pinned_behavior_that_waits_for_ever() -> None:
    source = """
        from bocpy import CancelledError, PinnedCown, receive, when
        pinned = PinnedCown(0)
        @when(pinned)
        def waits(pinned):
            try:
                receive("never")
            except CancelledError as error:
                print(error)
        @when(pinned)
        def behind(pinned):
            print("behind")
        """
    run(source, workers=2).check(out=[GIVEN_UP, "behind"])


def test_after_an_earlier_start_with_more_workers() -> None:
    source = """
        import bocpy
        from bocpy import receive, when
        bocpy.start(4)
        bocpy.wait()
        bocpy.start(1)
        @when()
        def waits():
            receive("never")
        @when()
        def ready():
            print("ready")
        """
    run(source, workers=1).check(out=["ready"])


def test_threads_that_wait_at_the_end() -> None:
    """A daemon thread is left alone, in whatever way it waits."""
    source = """
        import threading, time
        from bocpy import receive, send, when
        def wait(*args):
            receive(*args)
            print("never")
        for args in (("a",), (["a", "b"],), ("c", 1000)):
            threading.Thread(target=wait, args=args, daemon=True).start()
        time.sleep(0.1)
        @when()
        def behavior():
            print("behavior")
        """
    for _ in range(3):
        run(source, workers=2).check(out=["behavior"])


# Ctrl-C.


@pytest.mark.parametrize("tags", ["'t'", "['t', 'u']"])
def test_ctrl_c_takes_no_message_along(tags: str) -> None:
    """Interrupted again and again while another thread sends: nothing is lost, and nothing comes twice."""
    source = f"""
        import functools, threading, time
        from bocpy import receive, send

        def sends():
            for i in range(400):
                send("tu"[i % 2] if len({tags}) == 2 else "t", i)
                time.sleep(0.001)
            send("t", None)

        threading.Thread(target=sends, daemon=True).start()
        # A loop in Python would drop a message itself: where Ctrl-C comes as receive() returns, Python raises after the
        # call, and what that has returned is gone. Here no bytecode runs between one call and the next.
        got, messages = [], iter(functools.partial(receive, {tags}), ("t", None))
        print("begin", flush=True)
        while True:
            try:
                got.extend(messages)
                break
            except KeyboardInterrupt:
                pass
        print([i for _, i in got] == list(range(400)))
    """
    with started(source) as program:
        program.expect("begin")
        for _ in range(8):
            time.sleep(0.03)
            program.send()
        ended = program.end()
        # One that comes at a bytecode of the loop, beside the call, ends the program as it may.
        if ended.code == 0:
            ended.check(out=["begin", "True"])


def test_ctrl_c_ends_the_program_while_behaviors_wait() -> None:
    source = f"{WAITERS}\n    print('begin', flush=True)\n    receive('for ever')"
    with started(source, workers=2) as program:
        program.expect("begin")
        time.sleep(REACH)
        program.send()
        ended = program.end().check(code=(*INTERRUPTED, 1), out=None, err=None)
        assert "receive() was given up: the scope of this behavior was cancelled" in ended.lines, str(ended)
        assert "behind 1" not in ended.lines, str(ended)


def test_ctrl_c_while_draining() -> None:
    source = """
        from bocpy import receive, when
        @when()
        def waits():
            print("begin", flush=True)
            receive("never", 1000)
        """
    with started(source, workers=2) as program:
        program.expect("begin")
        time.sleep(REACH)
        program.send()
        program.end().check(code=INTERRUPTED, out=None, err=None)


def test_ctrl_c_in_a_pinned_behavior() -> None:
    source = """
        from bocpy import PinnedCown, receive, send, when
        pinned = PinnedCown(0)
        @when(pinned)
        def waits(pinned):
            print("begin", flush=True)
            receive("never")
        try:
            receive("this neither")
        except KeyboardInterrupt:
            with waits:
                print("interrupted", waits.exception)
        send("never", 1)
        print(receive("never", 0))
        """
    with started(source, workers=2) as program:
        program.expect("begin")
        time.sleep(REACH)
        program.send()
        program.end().check(out=["begin", "interrupted True", "('never', 1)"])
