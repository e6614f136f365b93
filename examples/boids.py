"""A flock of birds, each cell of their world a cown: workers fly them, the main thread draws.

    bocpy-boids                              in a window (needs pyglet: pip install "bocpy-dual[boids]")
    bocpy-boids -b 2000 --scale 0.6          more and smaller ones
    bocpy-boids --mode video -o boids.mp4    30 seconds into a file (needs ffmpeg, and no display)

What to look at in the code:

* `Flock._step` in `_boids_flock.py` is all of the parallelism. A behavior for each cell reads the cell and those around
  it, and finds where its boids are next; another one lets in who has come from there. Hundreds of small behaviors, no
  lock, no barrier; and the flock flies the same way with any number of workers.
* `show_frame` in `_boids_window.py` is all that the main thread does for a frame, on a `PinnedCown` with the window: a
  window belongs to the thread that has made it. `pump()` in the clock of pyglet's event loop runs it.
* `write_frame` in `_boids_video.py` paints on a worker and writes to ffmpeg on the main thread, which waits in
  `result()` and runs what is pinned meanwhile.
"""

from __future__ import annotations

import argparse
import math
import sys

from bocpy import WORKER_COUNT, PinnedCown, start, wait
from bocpy.examples._boids_flock import LONGEST_STEP, Flock, World
from bocpy.examples._boids_meter import Meter
from bocpy.examples._boids_video import Encoder, EncoderError, record

FPS = {"window": 60, "video": 30}
VIDEO_SECONDS = 30.0
MOST_CELLS = 100_000


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bocpy-boids", description="Fly a flock of birds on every core.")
    add = parser.add_argument
    add("-b", "--boids", type=int, default=300, help="how many (default: %(default)s)")
    add("--width", type=int, default=1200, help="of the world, in pixels (default: %(default)s)")
    add("--height", type=int, default=800, help="of the world, in pixels (default: %(default)s)")
    add("--scale", type=float, default=1.0, help="of the boids, their sight and their speed (default: %(default)s)")
    add("--mode", choices=("window", "video"), default="window", help="where to show them (default: %(default)s)")
    add("--duration", type=float, help="in seconds (default: a video of 30, a window until it is closed)")
    add("-o", "--output", default="boids.mp4", help="the video's file (default: %(default)s)")
    add("--fps", type=int, help="frames per second (default: 30 in a video, at most 60 in a window)")
    add("-w", "--workers", type=int, default=WORKER_COUNT, help="how many (default: %(default)s)")
    args = parser.parse_args(argv)
    for name in ("boids", "width", "height", "workers", "fps"):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f"--{name} is {value}: at least 1 is needed")
    if args.duration is not None and not 0 < args.duration < math.inf:
        parser.error(f"--duration is {args.duration}: a number above 0 is needed")
    if not 0.01 <= args.scale <= 100:
        parser.error(f"--scale is {args.scale}: from 0.01 to 100")
    args.fps = args.fps or FPS[args.mode]
    args.steps = max(1, math.ceil(1 / args.fps / LONGEST_STEP - 1e-9))
    args.world = World(args.width, args.height, args.scale, 1 / args.fps / args.steps)
    cells = args.world.columns * args.world.rows
    if cells > MOST_CELLS:
        parser.error(f"such a world has {cells} cells, at most {MOST_CELLS}: make it smaller, or --scale larger")
    return args


def run_video(args: argparse.Namespace, meter: Meter) -> None:
    try:
        encoder = PinnedCown(Encoder(args.output, args.width, args.height, args.fps))
    except FileNotFoundError:
        sys.exit(
            "bocpy-boids: --mode video needs the program ffmpeg, which is not there: install it (on Debian: "
            "apt install ffmpeg), or use --mode window"
        )
    try:
        start(args.workers)
        frames = max(1, round((args.duration or VIDEO_SECONDS) * args.fps))
        record(Flock(args.boids, args.world), encoder, frames, args.steps, meter)
    finally:
        wait()
        encoder.value.close()


def run_window(args: argparse.Namespace, meter: Meter) -> None:
    try:
        from bocpy.examples import _boids_window  # pyglet looks for a display as soon as it is imported

        window = _boids_window.Window(args.width, args.height, args.boids)
    except ModuleNotFoundError as error:
        if error.name != "pyglet":
            raise
        sys.exit(
            'bocpy-boids: a window needs pyglet, which is not installed: pip install "bocpy-dual[boids]", or use '
            "--mode video, which needs ffmpeg"
        )
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        sys.exit(f"bocpy-boids: no window can be opened ({reason}); --mode video needs no display, but ffmpeg")
    try:
        start(args.workers)
        _boids_window.fly(Flock(args.boids, args.world), window, args.fps, args.steps, args.duration, meter)
    finally:
        window.close()
        wait()


def main(argv: list[str] | None = None) -> int:
    args = parse_arguments(argv)
    meter = Meter(args.boids)
    status = 0
    try:
        (run_video if args.mode == "video" else run_window)(args, meter)
    except EncoderError as error:
        print(f"bocpy-boids: ffmpeg could not write {args.output}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bocpy-boids: interrupted", file=sys.stderr)
        status = 130  # the shell's code for a program that Ctrl-C ended
    print(meter.average())
    return status


if __name__ == "__main__":
    sys.exit(main())
