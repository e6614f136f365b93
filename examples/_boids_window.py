"""bocpy-boids in a window. Needs pyglet, and is imported only when a window is wanted."""

from __future__ import annotations

import pyglet
from bocpy import Matrix, PinnedCown, pump, when
from bocpy.examples._boids_flock import Flock, values_of
from bocpy.examples._boids_meter import Meter
from bocpy.examples._boids_raster import BACKGROUND, INK, PALETTE, TEXT_MARGIN, text_lines
from pyglet.gl import GL_TRIANGLES
from pyglet.graphics.shader import Shader, ShaderProgram

_VERTEX_SHADER = """#version 330 core
in vec2 position;
in vec3 colors;
out vec3 color;
uniform WindowBlock { mat4 projection; mat4 view; } window;
void main() {
    gl_Position = window.projection * window.view * vec4(position, 0.0, 1.0);
    color = colors;
}
"""
_FRAGMENT_SHADER = """#version 330 core
in vec3 color;
out vec4 final;
void main() { final = vec4(color, 1.0); }
"""


class Window(pyglet.window.Window):
    """Shows one picture until the next. It belongs to the thread that made it, as all of OpenGL."""

    def __init__(self, width: int, height: int, boids: int) -> None:
        """:raises Exception: one of pyglet's, if there is no display or no OpenGL 3.3."""
        super().__init__(width, height, caption="bocpy-boids", vsync=False)
        pyglet.gl.glClearColor(*(part / 255 for part in BACKGROUND), 1.0)
        program = ShaderProgram(Shader(_VERTEX_SHADER, "vertex"), Shader(_FRAGMENT_SHADER, "fragment"))
        self._batch = pyglet.graphics.Batch()
        corners = 3 * boids
        self._triangles = program.vertex_list(
            corners, GL_TRIANGLES, self._batch, position=("f", [0.0] * 2 * corners), colors=("Bn", [0] * 3 * corners)
        )
        self._text = ""
        self._overlay: pyglet.image.AbstractImage | None = None
        self.pictures = 0  # shown so far

    def show(self, picture: Matrix, text: str = "") -> None:
        """Take a picture as `outlines` makes it, and a text, for the next time the window is drawn."""
        if self.context is None:
            return  # closed while the picture was made
        positions: list[float] = []
        colors: list[int] = []
        for row in range(picture.rows):
            *corners, color = picture.view[row]
            positions += corners
            colors += PALETTE[int(color)] * 3
        self._triangles.position[:] = positions
        self._triangles.colors[:] = colors
        if text != self._text:
            self._text = text
            self._overlay = image_of(text)
        self.pictures += 1

    def on_draw(self) -> None:
        self.clear()
        self._batch.draw()
        if self._overlay is not None:
            self._overlay.blit(TEXT_MARGIN, self.height - TEXT_MARGIN - self._overlay.height)


def image_of(text: str) -> pyglet.image.AbstractImage:
    """The text in ink on the background."""
    lines = text_lines(text)
    colors = (bytes(BACKGROUND), bytes(INK))
    data = b"".join(colors[dot] for line in reversed(lines) for dot in line)
    return pyglet.image.ImageData(len(lines[0]), len(lines), "RGB", data).get_texture()


def fly(flock: Flock, window: Window, fps: int, steps: int, seconds: float | None, meter: Meter) -> None:
    """Show at most `fps` frames per second, each after so many steps, until the window is closed or time is over."""
    shown = PinnedCown(window)
    taken = 0  # behaviors of the frame under way

    def tick(_: float) -> None:
        """Show what has become ready, and begin the next frame: the workers fly while this one is drawn."""
        nonlocal taken
        pump(raise_on_error=True)
        if taken and window.pictures == meter.frames:
            return
        if taken:
            meter.frame(taken)
        before = flock.behaviors
        show_frame(flock, shown, steps, meter.overlay())
        taken = flock.behaviors + 1 - before

    meter.begin()
    pyglet.clock.schedule_interval(tick, 1 / fps)
    if seconds is not None:
        pyglet.clock.schedule_once(lambda _: pyglet.app.exit(), seconds)
    try:
        pyglet.app.run(1 / fps)
    finally:
        pyglet.clock.unschedule(tick)


def show_frame(flock: Flock, shown: PinnedCown[Window], steps: int, text: str) -> None:
    """The one behavior of a frame that needs the main thread, and it only copies numbers."""

    picture = flock.picture(steps)

    @when(shown, picture)
    def write_back(shown, picture):
        shown.value.show(*values_of([picture]), text)
