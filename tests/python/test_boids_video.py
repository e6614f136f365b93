"""The boids in a video, with ffmpeg and with something in its place, and the command's other arguments."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from boc_testing import DEADLINE, output_of
from bocpy.examples._boids_flock import World, outlines
from bocpy.examples._boids_raster import BACKGROUND, TEXT_MARGIN, paint, text_lines
from boids_testing import AVERAGE, one_after_the_other, run

SOURCE = Path(__file__).parents[2] / "examples" / "boids.py"

# In the place of ffmpeg: keeps the frames, or does what FFMPEG says.
STAND_IN = f"""#!{sys.executable}
import os, sys
path = sys.argv[-1].removeprefix("file:")
how = os.environ.get("FFMPEG", "")
if how == "refuses":
    sys.exit("this is no place for a video")
with open(path, "wb") as file:
    while part := sys.stdin.buffer.read(1 << 16):
        file.write(part)
        if how == "ends early":
            sys.exit("the disk is full")
        if how == "tells":
            print("first frame", file=open(path + ".begun", "w"), flush=True)
with open(path + ".arguments", "w") as file:
    file.write(" ".join(sys.argv[1:]))
sys.exit("it cannot be finished" if how == "fails at the end" else 0)
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> dict[str, str]:
    """The environment in which ffmpeg is the stand-in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ffmpeg").write_text(STAND_IN)
    (folder / "ffmpeg").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def video(path: Path, *arguments: str, size: tuple[int, int] = (250, 190)) -> list[str]:
    width, height = size
    return ["--mode=video", f"--output={path}", f"--width={width}", f"--height={height}", "-b", "40", *arguments]


@pytest.mark.parametrize(("fps", "steps"), [(30, 1), (60, 1), (10, 3)])
def test_the_frames_of_a_video(tmp_path: Path, stand_in: dict[str, str], fps: int, steps: int) -> None:
    path = tmp_path / "boids.mp4"
    done = run(video(path, f"--fps={fps}", f"--duration={6 / fps}", "--workers=2"), stand_in)
    assert done.stderr == ""
    assert re.fullmatch(AVERAGE.format(6), done.stdout)
    told = (tmp_path / "boids.mp4.arguments").read_text()
    assert "-pix_fmt rgb24 -video_size 250x190" in told
    assert f"-framerate {fps} -i -" in told

    frames = path.read_bytes()
    size = 3 * 250 * 190
    assert len(frames) == 6 * size
    world = World(250, 190, 1.0, 1 / fps / steps)
    below = 3 * 250 * (TEXT_MARGIN + len(text_lines("")))  # the overlay says how fast it went
    for number in range(6):
        frame = frames[number * size : (number + 1) * size]
        flock = one_after_the_other(40, world, (number + 1) * steps)
        assert frame[below:] == paint(outlines(flock, world), 250, 190)[below:]
        if number == 0:
            assert frame == paint(outlines(flock, world), 250, 190, "40 boids")


def test_as_a_script(tmp_path: Path, stand_in: dict[str, str]) -> None:
    path = tmp_path / "boids.mp4"
    command = [sys.executable, str(SOURCE), *video(path, "--duration=0.05")]
    done = subprocess.run(command, env=stand_in, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(path.read_bytes()) == 2 * 3 * 250 * 190


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("refuses", "this is no place for a video"),
        ("ends early", "the disk is full"),
        ("fails at the end", "it cannot be finished"),
    ],
)
def test_ffmpeg_fails(tmp_path: Path, stand_in: dict[str, str], how: str, reason: str) -> None:
    path = tmp_path / "boids.mp4"
    done = run(video(path, "--duration=0.5"), {**stand_in, "FFMPEG": how}, code=1)
    assert done.stdout == ""
    assert done.stderr == f"bocpy-boids: ffmpeg could not write {path}: {reason}\n"


def test_there_is_no_ffmpeg(tmp_path: Path) -> None:
    done = run(video(tmp_path / "boids.mp4"), {**os.environ, "PATH": str(tmp_path)}, code=1)
    assert done.stderr.startswith("bocpy-boids: --mode video needs the program ffmpeg, which is not there: install it")


def test_ctrl_c_ends_the_video_properly(tmp_path: Path, stand_in: dict[str, str]) -> None:
    path = tmp_path / "boids.mp4"
    command = [sys.executable, "-m", "bocpy.examples.boids", *video(path, "--duration=100000")]
    program = subprocess.Popen(
        command,
        env={**stand_in, "FFMPEG": "tells"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        for _ in range(int(DEADLINE * 100)):
            if Path(f"{path}.begun").exists():
                break
            try:
                program.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does
        out, errors = program.communicate(timeout=DEADLINE)
    except BaseException:
        program.kill()
        program.communicate()
        raise
    assert (program.returncode, errors) == (130, "bocpy-boids: interrupted\n")
    assert re.fullmatch(AVERAGE.format(r"\d+"), out)
    assert len(path.read_bytes()) % (3 * 250 * 190) == 0
    assert Path(f"{path}.arguments").exists()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg on this machine")
def test_a_video_that_ffmpeg_has_made(tmp_path: Path) -> None:
    path = tmp_path / "boids.mp4"
    run(video(path, "--duration=0.5", size=(251, 189)), dict(os.environ))
    decode = ["ffmpeg", "-loglevel", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    frames = subprocess.run(decode, capture_output=True, check=True, timeout=60).stdout
    size = 3 * 252 * 190  # even sides
    assert len(frames) == 15 * size
    world = World(251, 189)
    wanted = paint(outlines(one_after_the_other(40, world, 15), world), 251, 189)
    boids = background = 0
    for y in range(30, 189):
        for x in range(251):
            got = frames[14 * size + 3 * (252 * y + x) :][:3]
            if wanted[3 * (251 * y + x) :][:3] == bytes(BACKGROUND):
                background += max(got) < 120
            else:
                boids += max(got) > 120
    lit = sum(bytes(wanted[at : at + 3]) != bytes(BACKGROUND) for at in range(3 * 251 * 30, len(wanted), 3))
    assert boids > 0.8 * lit  # it is a lossy codec
    assert background > 0.97 * (251 * 159 - lit)


# The command line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--boids=0", "--boids is 0: at least 1"),
        ("--width=-5", "--width is -5: at least 1"),
        ("--height=0", "--height is 0: at least 1"),
        ("--workers=0", "--workers is 0: at least 1"),
        ("--fps=0", "--fps is 0: at least 1"),
        ("--duration=0", "--duration is 0.0: a number above 0"),
        ("--duration=nan", "--duration is nan: a number above 0"),
        ("--duration=inf", "--duration is inf: a number above 0"),
        ("--scale=0", "--scale is 0.0: from 0.01 to 100"),
        ("--scale=nan", "--scale is nan: from 0.01 to 100"),
        ("--scale=0.01", "cells, at most 100000"),
        ("--mode=radio", "invalid choice: 'radio'"),
    ],
)
def test_bad_arguments(option: str, reason: str, tmp_path: Path) -> None:
    done = run(["--mode=video", "-o", str(tmp_path / "x.mp4"), option], dict(os.environ), code=2)
    assert "bocpy-boids: error: " in done.stderr
    assert reason in done.stderr
    assert not (tmp_path / "x.mp4").exists()


def test_nothing_of_pyglet_is_imported_for_the_rest() -> None:
    assert output_of("import sys, bocpy.examples.boids\nprint('pyglet' in sys.modules)") == "False\n"
