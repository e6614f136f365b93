"""bocpy-boids without a display: workers paint, the main thread hands the frames to ffmpeg."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bocpy import Cown, PinnedCown, when
from bocpy.examples._boids_flock import Flock, values_of
from bocpy.examples._boids_meter import Meter
from bocpy.examples._boids_raster import paint

IN_FLIGHT = 3  # frames; enough for the workers to have something to do while one is written


class EncoderError(Exception):
    """ffmpeg has ended too early, or badly."""


class Encoder:
    """An ffmpeg that makes a video of the frames written to it. Its process and pipe cannot leave the main thread."""

    def __init__(self, path: str, width: int, height: int, fps: int) -> None:
        """:raises OSError: if ffmpeg cannot be started; FileNotFoundError if there is none."""
        # What it complains about goes to a file: nobody reads a pipe while the frames are written.
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115
        self._failed = False
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width}x{height}", "-framerate", str(fps)]
        # Players want this format, which has even sides only.
        picture = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]
        try:
            self._process = subprocess.Popen(
                ["ffmpeg", "-loglevel", "error", "-y", *source, "-i", "-", *picture, f"file:{path}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._complaints,
                start_new_session=True,  # Ctrl-C is for us: it finishes the file when we close the pipe
            )
        except BaseException:
            self._complaints.close()
            raise

    def write(self, pixels: bytearray) -> None:
        """Add a frame. Once it has failed, further ones are dropped.

        :raises EncoderError: if ffmpeg has ended, with what it complained about.
        """
        if self._failed:
            return
        try:
            self._process.stdin.write(pixels)
        except BaseException as error:
            self._failed = True
            if not isinstance(error, BrokenPipeError):
                raise
            self._process.wait()
            raise self._error() from None

    def close(self) -> None:
        """Let ffmpeg finish the file. :raises EncoderError: if it could not, and `write` has not said so."""
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # its exit status says more
        finally:
            status = self._process.wait()
            try:
                if status != 0 and not self._failed:
                    raise self._error()
            finally:
                self._complaints.close()

    def _error(self) -> EncoderError:
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip()
        return EncoderError(said or f"it ended with status {self._process.returncode}")


def record(flock: Flock, encoder: PinnedCown[Encoder], frames: int, steps: int, meter: Meter) -> None:
    """Fly and write so many frames, each after so many steps.

    :raises EncoderError: if ffmpeg could not go on.
    :raises KeyboardInterrupt: after the frames under way.
    """
    begun: deque[tuple[Cown[None], int]] = deque()

    def finish_one() -> None:
        written, behaviors = begun.popleft()
        written.result()  # the main thread waits, so it writes meanwhile
        meter.frame(behaviors)

    meter.begin()
    with interrupts_noted() as interrupted:
        for _ in range(frames):
            if interrupted():
                break
            before = flock.behaviors
            written = write_frame(flock, encoder, steps, meter.overlay())
            begun.append((written, flock.behaviors + 2 - before))
            if len(begun) == IN_FLIGHT:
                finish_one()
        while begun:
            finish_one()
        if interrupted():
            raise KeyboardInterrupt


@contextmanager
def interrupts_noted() -> Iterator[Callable[[], bool]]:
    """Ctrl-C is only noted, for it would cut a frame in two and garble the video. A second one is as usual."""
    noted = False

    def note(*_: object) -> None:
        nonlocal noted
        noted = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: noted
    finally:
        signal.signal(signal.SIGINT, before)


def write_frame(flock: Flock, encoder: PinnedCown[Encoder], steps: int, text: str) -> Cown[None]:
    """Paint on a worker, write on the main thread; frames are written in the order of these calls."""
    picture, width, height = flock.picture(steps), flock.world.width, flock.world.height

    @when(picture)
    def painted(picture):
        return paint(*values_of([picture]), width, height, text)

    @when(encoder, painted)
    def written(encoder, painted):
        encoder.value.write(*values_of([painted]))

    return written
