"""Programs that end with something open: cowns held, batches and scopes entered and never left."""

from __future__ import annotations

import pytest
from _program import run

OPEN = {
    "hold": ("c.acquire()", "", ["ran"]),
    "several": ("hold(c, Cown(2)).__enter__()", "", ["ran"]),
    "batch": ("b = batch().__enter__()", "", []),
    "scope": ("s = scope().__enter__(); d = s.done", "", ["ran"]),
    "scope in a scope": ("s = scope().__enter__(); t = scope().__enter__(); d = [s.done, t.done]", "", ["ran"]),
    "batch in a scope": ("s = scope().__enter__(); b = batch().__enter__(); d = s.done", "", []),
    "interpreter's own exit": ("c.acquire()", "sys.exit(0)", ["ran"]),
}


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("what", OPEN)
def test_left_open_by_main(what: str, workers: int) -> None:
    entered, last, printed = OPEN[what]
    source = f"""
        import sys
        from bocpy import Cown, batch, hold, scope, when

        c = Cown(1)
        {entered}

        @when(c)
        def show(c):
            print("ran")

        {last}
    """
    run(source, workers=workers).check(out=printed)


@pytest.mark.parametrize("what", OPEN)
def test_left_open_by_a_thread(what: str) -> None:
    entered, _, _ = OPEN[what]
    source = f"""
        import threading
        from bocpy import Cown, batch, hold, scope, when

        c = Cown(1)

        def leave():
            global b, s, t, d
            {entered}
            when(c)(lambda c: None)

        thread = threading.Thread(target=leave)
        thread.start()
        thread.join()

        @when(c)
        def show(c):
            print("ran")
    """
    run(source, workers=2).check(out=["ran"])
