"""The recipes of docs/pinned-cowns.md for loops that need a window, as they stand there, in real windows.

(asyncio's is run with the other programs of the documents; Tcl's loop without a window in test_pump_told.py.)
"""

from __future__ import annotations

import importlib.util
import re

import pytest
from boc_testing import run_python
from display_testing import HEADLESS, why_no_window
from test_docs import ROOT, blocks_of

TK_ENDS = "root.mainloop()\n"
PYGLET_ENDS = "pyglet.app.run(None)\n"


def recipe(words: str, before: str, watch: str) -> str:
    """The recipe that contains the words, with something done right before a line of it."""
    document = ROOT / "docs" / "pinned-cowns.md"
    (text,) = [block.text for block in blocks_of(document) if words in block.text]
    assert text.count(before) == 1
    return text.replace(before, watch + before)


# tk ----------------------------------------------------------------------------------------------------------------

# Its new text makes the label wider, so the window system has it drawn again once the recipe has worked, not before.
# Nothing here wakes the loop by time.
TK_WATCH = """
def look(event):
    if event.widget["text"] != "working":
        print(event.widget["text"], root.tk.eval("after info"))
        {end}

label.value.bind("<Expose>", look)
"""


@pytest.fixture
def tk_display(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment in which Tk has a display."""
    if importlib.util.find_spec("_tkinter") is None:
        pytest.skip("this Python was built without tkinter")
    environment = {"DISPLAY": request.getfixturevalue("display")}
    done = run_python("import tkinter; tkinter.Tk().update()", env=environment)
    if "Can't find a usable" in done.stderr:  # Tk's own library of scripts
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done
    return environment


@pytest.mark.parametrize("end", ["root.quit()", "root.destroy()"])
def test_tk(tk_display: dict[str, str], end: str) -> None:
    done = run_python(recipe("import tkinter", TK_ENDS, TK_WATCH.format(end=end)), env=tk_display, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "the sum is 499999500000 \n"


def test_tk_closed_before_anything_was_shown(tk_display: dict[str, str]) -> None:
    """What comes too late for the window is no reason to hang or crash; it is reported."""
    early = recipe("import tkinter", TK_ENDS, "root.destroy()\n")
    done = run_python(early, env=tk_display, timeout=60)
    assert done.returncode == 0, done
    # CPython 3.10 does not tell where a function is defined.
    assert re.match(r"Exception ignored in behavior (work\.<locals>\.)?show ", done.stderr), done.stderr


# pyglet ------------------------------------------------------------------------------------------------------------

PYGLET_WATCH = """
@window.event
def on_refresh(_):
    if bar.value.width < 300:
        return
    image = pyglet.image.get_buffer_manager().get_color_buffer().get_image_data()
    line = image.get_data("RGB", 3 * window.width)[3 * window.width * 30 :][: 3 * window.width]
    lit = [all(part > 200 for part in line[3 * x : 3 * x + 3]) for x in range(window.width)]
    print(lit.index(True), sum(lit), pyglet.clock.get_sleep_time(True))
    pyglet.app.exit()

"""


@pytest.mark.parametrize("where", ["headless", "on an X server"])
def test_pyglet(request: pytest.FixtureRequest, where: str) -> None:
    name = None if where == "headless" else request.getfixturevalue("display")
    if reason := why_no_window(name):
        pytest.skip(reason)
    environment = HEADLESS if name is None else {"DISPLAY": name, "PYGLET_HEADLESS": None}
    done = run_python(recipe("import pyglet", PYGLET_ENDS, PYGLET_WATCH), env=environment, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "10 300 None\n"  # nothing waits for a time


def test_the_recipes_are_not_run_without_a_display() -> None:
    """test_docs.py leaves out what this file runs, no more."""
    document = ROOT / "docs" / "pinned-cowns.md"
    left_out = [block.text for block in blocks_of(document) if block.language == "python" and not block.run]
    assert [("tkinter" in text, "pyglet" in text) for text in left_out] == [(True, False), (False, True)]
