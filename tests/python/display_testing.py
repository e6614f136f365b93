"""Displays for tests: a virtual X server, and whether pyglet can do without one."""

from __future__ import annotations

import functools
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from boc_testing import DEADLINE

#: The environment in which pyglet draws into memory, by EGL.
HEADLESS = {"PYGLET_HEADLESS": "1"}

_OPEN_A_WINDOW = "import pyglet; window = pyglet.window.Window(32, 32); window.clear(); window.flip(); print('drawn')"


@contextmanager
def x_server() -> Iterator[str]:
    """The name of a display of our own, for DISPLAY; the test is skipped where there is no Xvfb."""
    if shutil.which("Xvfb") is None:
        pytest.skip("there is no Xvfb on this machine")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24"]
    with open(reading, "rb", buffering=0) as told:
        server = subprocess.Popen(command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            os.close(writing)
            number = b""
            while not number.endswith(b"\n"):
                assert select.select([told], [], [], DEADLINE)[0], "Xvfb does not say which display it has"
                part = told.read(16)
                assert part, f"Xvfb has ended with status {server.wait()}"
                number += part
            yield f":{int(number)}"
        finally:
            server.terminate()
            server.wait()


@functools.cache
def why_no_window(display: str | None = None) -> str:
    """Why pyglet cannot draw here, headless or on a display; empty where it can."""
    environment = {**os.environ, **(HEADLESS if display is None else {"DISPLAY": display})}
    done = subprocess.run(
        [sys.executable, "-c", _OPEN_A_WINDOW], env=environment, capture_output=True, text=True, timeout=60
    )
    if done.returncode == 0 and done.stdout == "drawn\n":
        return ""
    return f"pyglet cannot draw here: {(done.stderr.strip() or 'it says nothing').splitlines()[-1]}"
