"""Messages over fork, and their memory in the long run."""

from __future__ import annotations

import pytest
from _program import run
from test_restart_and_memory import NEEDS_PROC, grown

QUIET = ("-W", "ignore::DeprecationWarning")  # 3.12 warns about forks beside threads


@pytest.mark.parametrize("before", ["pass", "bocpy.start()", "when()(lambda: receive('never', 1)); time.sleep(0.1)"])
def test_fork(before: str) -> None:
    """The child starts with no messages, and has its own; the parent keeps what it has."""
    source = f"""
        import os, time
        import bocpy
        from bocpy import receive, send, when

        send("t", ["of the parent"])
        {before}
        pid = os.fork()
        if pid == 0:
            print("child", receive("t", 0), flush=True)
            when()(lambda: send("t", "of the child"))
            print("child", receive("t", 20), flush=True)
            send("t", "left")
            raise SystemExit(5)
        _, status = os.waitpid(pid, 0)
        print("child", os.waitstatus_to_exitcode(status))
        print("parent", receive("t"), receive("t", 0))
    """
    run(source, workers=2, options=QUIET).check(
        out=[
            "child ('__timeout__', None)",
            "child ('t', 'of the child')",
            "child 5",
            "parent ('t', ['of the parent']) ('__timeout__', None)",
        ]
    )


@pytest.mark.parametrize("tags", ["'t'", "['t', 'u']"])
def test_fork_in_a_signal_handler_while_main_waits(tags: str) -> None:
    source = f"""
        import os, signal, threading
        from bocpy import receive, send

        children = []

        def handler(*_):
            pid = os.fork()
            if pid == 0:
                threading.Timer(0.1, lambda: send("t", "of the child")).start()
            else:
                children.append(pid)
                os.waitpid(pid, 0)
                send("t", "of the parent")

        signal.signal(signal.SIGUSR1, handler)
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        print(receive({tags}), flush=True)
    """
    run(source, options=QUIET).check(out=["('t', 'of the child')", "('t', 'of the parent')"])


def test_children_of_multiprocessing() -> None:
    source = """
        import multiprocessing, sys
        from bocpy import receive, send, when

        def child(connection):
            when()(lambda: receive("never"))
            when()(lambda: send("t", [1]))
            connection.send((receive("t", 20), receive("t", 0)))
            send("t", "left")

        if __name__ == "__main__":
            send("t", "of the parent")
            context = multiprocessing.get_context(sys.argv[1])
            here, there = context.Pipe()
            process = context.Process(target=child, args=(there,))
            process.start()
            print(here.recv())
            process.join()
            print(process.exitcode, receive("t"))
    """
    for how in ("fork", "spawn"):
        run(source, how, workers=2, options=QUIET).check(
            out=["(('t', [1]), ('__timeout__', None))", "0 ('t', 'of the parent')"]
        )


# The long run.

RUN = """
    from bocpy import drain, receive, send, set_tags, when

    def rounds(n):
        for i in range(n):
            send(f"once {i}", [i, "text"])
            receive([f"once {i}", f"never {i}"], 0)
            send("kept", [i])
            receive([f"not even {i}", "nothing"], 0)
            if i % 1000 == 999:
                drain("kept")
            if i % 2 == 0:
                send("t", "x" * 1000)
            if i % 5000 == 4999:
                set_tags([])
"""


@NEEDS_PROC
def test_memory_of_messages_and_tags() -> None:
    grown(
        RUN
        + """
    rounds(20_000)
    early = rss()
    rounds(200_000)
    late = rss()
    print("done")
    print(early, late)
    """
    )


@NEEDS_PROC
def test_memory_of_waits_in_behaviors() -> None:
    grown(
        """
    from bocpy import receive, send, when

    def rounds(n):
        @when()
        def waits():
            for i in range(n):
                receive([f"tag {i}", f"never {i}"], 50)
                send("next", [i])
        for i in range(n):
            send(f"tag {i}", "x" * 100)
            receive("next", 50)
        waits.result()

    rounds(2000)
    early = rss()
    rounds(20_000)
    late = rss()
    print("done")
    print(early, late)
    """,
        workers=2,
    )
