"""The boids in a window: headless, and on a virtual X server."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys

import pytest
from boc_testing import run_python
from bocpy.examples._boids_flock import World, outlines, scatter
from bocpy.examples._boids_raster import BACKGROUND, paint
from boids_testing import AVERAGE, run
from display_testing import HEADLESS, why_no_window

SHOW = """
import sys
import pyglet
from bocpy.examples._boids_flock import World, outlines, scatter
from bocpy.examples._boids_window import Window

window = Window(401, 300, 80)
world = World(401, 300)
for seed, text in ((4, "80 boids"), (3, "80 boids  12 fps")):
    window.show(outlines(scatter(80, world, seed), world), text)
    window.switch_to()
    window.on_draw()
image = pyglet.image.get_buffer_manager().get_color_buffer().get_image_data()
sys.stdout.buffer.write(image.get_data("RGB", -3 * 401))
window.close()
window.show(outlines(scatter(80, world, 3), world), "it is closed")
"""

FLY = """
import pyglet
from bocpy import start, wait
from bocpy.examples._boids_flock import Flock, World
from bocpy.examples._boids_meter import Meter
from bocpy.examples._boids_window import Window, fly

class Failing(Window):
    def show(self, picture, text=""):
        super().show(picture, text)
        if self.pictures == 3:
            {on_the_third}

start(2)
window = Failing(401, 300, 80)
meter = Meter(80)
try:
    fly(Flock(80, World(401, 300)), window, 500, 1, None, meter)
    print("ended", meter.frames)
finally:
    wait()
"""


@pytest.fixture(params=["headless", "on an X server"])
def screen(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment in which pyglet can draw."""
    if request.param == "headless":
        environment, reason = HEADLESS, why_no_window()
    else:
        name = request.getfixturevalue("display")
        environment, reason = {"DISPLAY": name}, why_no_window(name)
    if reason:
        pytest.skip(reason)
    return {"XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", "/tmp"), **environment}


def test_the_window_shows_what_the_video_shows(screen: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW], env={**os.environ, **screen}, capture_output=True, check=True, timeout=60
    )
    shown, world = done.stdout, World(401, 300)
    painted = paint(outlines(scatter(80, world, 3), world), 401, 300, "80 boids  12 fps")
    assert len(shown) == len(painted)
    lit = different = 0
    for at in range(0, len(painted), 3):
        lit += painted[at : at + 3] != bytes(BACKGROUND)
        # A display may have as few as five bits for a color.
        different += max(abs(a - b) for a, b in zip(shown[at : at + 3], painted[at : at + 3], strict=True)) > 8
    assert lit > 3000
    assert different < 0.05 * lit  # at edges, where OpenGL may round otherwise


def test_the_window_flies_until_it_is_closed(screen: dict[str, str]) -> None:
    source = FLY.format(on_the_third='self.dispatch_event("on_close")')
    done = run_python(source, env=screen, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout in ("ended 2\n", "ended 3\n")


def test_what_fails_ends_the_window(screen: dict[str, str]) -> None:
    done = run_python(FLY.format(on_the_third='raise LookupError("no third picture")'), env=screen, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip().endswith("LookupError: no third picture")
    assert done.stderr.count("LookupError: no third picture") == 1


def test_the_command_with_a_window(screen: dict[str, str]) -> None:
    for seconds in (0.5, 5, 30):  # on a busy machine there may be no frame in a short time
        arguments = ["--width=300", "--height=200", f"--duration={seconds}", "--fps=20"]
        done = run(arguments, {**os.environ, **screen})
        assert done.stderr == ""
        assert re.fullmatch(AVERAGE.format(r"\d+"), done.stdout)
        if not done.stdout.startswith("0 "):
            break
    else:
        pytest.fail("no frame in 30 s")


INTERRUPT = """
import os, signal, sys
from bocpy.examples import _boids_window, boids

class Interrupting(_boids_window.Window):
    def show(self, picture, text=""):
        super().show(picture, text)
        if self.pictures == 3:
            os.kill(os.getpid(), signal.SIGINT)

_boids_window.Window = Interrupting
sys.exit(boids.main(["--width=300", "--height=200"]))
"""


def test_ctrl_c_closes_the_window(screen: dict[str, str]) -> None:
    done = run_python(INTERRUPT, env=screen, timeout=60)
    assert (done.returncode, done.stderr) == (130, "bocpy-boids: interrupted\n")
    assert re.fullmatch(AVERAGE.format("[23]"), done.stdout)


def test_there_is_no_pyglet() -> None:
    done = run_python(
        "import sys\nsys.modules['pyglet'] = None\nfrom bocpy.examples.boids import main\nsys.exit(main([]))"
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        'bocpy-boids: a window needs pyglet, which is not installed: pip install "bocpy-dual[boids]"'
    )


@pytest.mark.skipif(importlib.util.find_spec("pyglet") is None, reason="pyglet is not installed")
def test_there_is_no_display() -> None:
    nowhere = {**os.environ, "DISPLAY": ":no-such-display"}
    nowhere.pop("PYGLET_HEADLESS", None)
    done = run([], nowhere, code=1)
    assert done.stderr.startswith("bocpy-boids: no window can be opened (")
    assert done.stderr.endswith("); --mode video needs no display, but ffmpeg\n")
