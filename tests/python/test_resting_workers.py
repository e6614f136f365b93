"""Code of the user's on a worker that runs no behavior: what would wait there would stop it, so it is an error."""

from __future__ import annotations

import pytest
from boc_testing import HELPERS, output_of
from bocpy import quiesce, start, wait, when


@pytest.mark.parametrize("call", [wait, quiesce, start])
def test_initializers(call) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError, match="would stop the worker"):
            start(2, initializer=call)
    assert when()(lambda: "ran").result() == "ran"


LOCAL = """
import sys, threading
import bocpy
from bocpy import when

class Last:
    def __del__(self, call=bocpy.{call}, finished=[]):
        try:
            call()
        except RuntimeError as error:
            assert "would stop the worker" in str(error) or "shutting down" in str(error), error
        finished.append(self)

@when()
def fill():
    sys.kept = threading.local()
    sys.kept.last = Last()  # goes when the worker's thread lets go of it

bocpy.start(2)
fill.result()
for _ in range(2):
    bocpy.wait()
    when()(lambda: None).result()
print("end")
"""

RETURNED = """
import bocpy
from bocpy import when

class Last:
    def __del__(self, call=bocpy.{call}):
        try:
            call()
        except RuntimeError as error:
            assert "would stop the worker" in str(error), error

last = when()(Last)
bocpy.quiesce()
del last  # its value goes where it lives
for _ in range(2):
    when()(lambda: None).result()
    bocpy.wait()
print("end")
"""


@pytest.mark.parametrize("call", ["wait", "quiesce", "start"])
@pytest.mark.parametrize("program", [LOCAL, RETURNED], ids=["thread-local", "returned"])
def test_destructors(program: str, call: str) -> None:
    assert output_of(program.format(call=call)) == "end\n"


VISITED = """
import builtins, threading
import bocpy
from boc_testing import Gate
from bocpy import Cown, quiesce, read, start, when
from payload_testing import anchors, beside

class Last:
    def __init__(self, cown):
        self.cown = cown
    def __del__(self):
        try:
            self.cown.acquire(timeout=30)
        except (RuntimeError, TimeoutError) as error:
            print(type(error).__name__, flush=True)

class Visited:
    def __init__(self, cown):
        self.cown = cown
    def __reduce__(self):
        builtins.kept = threading.local()
        builtins.kept.last = Last(self.cown)  # goes with the visitor's thread state
        return int, (5,)

start(2)
left, right = anchors(Gate.make())
cown, value, gate = Cown(1), Cown(None), Gate.make()
beside(left, value)(lambda value: setattr(value, "value", Visited(cown))).result()
beside(left, read(value))(lambda value: gate.pass_through())  # its worker is busy, so it is visited
gate.wait_arrived()
print(beside(right, read(value), cown)(lambda value, cown: (value.value, cown.value)).result(timeout=60))
gate.open()
bocpy.wait()
"""


@pytest.mark.backend("subinterp", reason="on threads nothing is carried between behaviors")
def test_destructors_of_a_visit() -> None:
    """The behavior that the visit is for holds the cown already."""
    assert output_of(VISITED, env=HELPERS) == "RuntimeError\n(5, 1)\n"
