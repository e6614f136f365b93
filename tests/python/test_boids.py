"""The boids: how they fly, that no number of workers changes it, and what is drawn of them."""

from __future__ import annotations

import math
import re

import pytest
from boc_testing import DEADLINE
from bocpy import Matrix, start, wait
from bocpy.examples._boids_flock import (
    ALIGNMENT,
    COHESION,
    COLORS,
    FASTEST,
    ID,
    LONGEST_STEP,
    MARGIN,
    SEPARATION,
    SLOWEST,
    SPACE,
    TURN,
    VIEW,
    Flock,
    World,
    X,
    Y,
    fly,
    outlines,
    scatter,
)
from bocpy.examples._boids_meter import Meter
from bocpy.examples._boids_raster import BACKGROUND, INK, PALETTE, TEXT_MARGIN, paint, text_lines
from boids_testing import one_after_the_other, rows_of

SMALL = World(250, 190)


def by_hand(rows: list[list[float]], world: World) -> list[list[float]]:
    """A step of all boids, each with each, in plain floats."""
    scale, moved = world.scale, []
    for number, x, y, vx, vy in rows:
        seen = [other for other in rows if math.hypot(other[1] - x, other[2] - y) <= VIEW * scale]
        close = [other for other in rows if math.hypot(other[1] - x, other[2] - y) < SPACE * scale]
        speed = []
        for at, now, v, size in ((1, x, vx, world.width), (2, y, vy, world.height)):
            pull = COHESION * (sum(other[at] for other in seen) / len(seen) - now)
            follow = ALIGNMENT * (sum(other[at + 2] for other in seen) / len(seen) - v)
            push = SEPARATION * sum(other[at] - now for other in close)
            turn = TURN * scale * ((now < MARGIN * scale) - (now > size - MARGIN * scale))
            speed.append(v + world.step * (pull + follow - push + turn))
        length = math.hypot(*speed)
        factor = min(max(length, SLOWEST * scale), FASTEST * scale) / length
        vx, vy = (part * factor for part in speed)
        x, vx = thrown_back(x + world.step * vx, vx, world.width)
        y, vy = thrown_back(y + world.step * vy, vy, world.height)
        moved.append([number, x, y, vx, vy])
    return moved


def thrown_back(at: float, speed: float, size: int) -> tuple[float, float]:
    return (at, speed) if 0 <= at <= size else (0.0 if at < 0 else size, -speed)


# How they fly ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", [SMALL, World(250, 190, 0.5), World(61, 400, 1.5, 0.01), World(20, 20, 3.0)])
def test_a_step_is_what_the_rules_say(world: World) -> None:
    before = scatter(70, world, 2)
    after = fly(before, before, world)
    expected = by_hand(rows_of(before), world)
    for got, wanted in zip(rows_of(after), expected, strict=True):
        assert got == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_who_is_alone_flies_straight_on_and_turns_at_the_edge() -> None:
    alone = Matrix(1, 5, [7, 500, 400, 100, 0])
    for _ in range(3):
        alone = fly(alone, alone, World(1000, 800))
    assert rows_of(alone) == [[7, pytest.approx(510), 400, pytest.approx(100), 0]]
    xs = []
    for _ in range(400):
        alone = fly(alone, alone, World(1000, 800))
        xs.append(alone[0, X])
    assert max(xs) > 900
    assert xs[-1] < 900
    corner = Matrix(1, 5, [7, 2, 1, -100, -100])
    corner = fly(corner, corner, World(1000, 800))
    assert min(corner[0, 3], corner[0, 4]) > 0


def test_a_boid_that_stands_still_breaks_nothing() -> None:
    still = Matrix(1, 5, [0, 500, 400, 0, 0])
    assert rows_of(fly(still, still, World(1000, 800))) == [[0, 500, 400, 0, 0]]
    assert outlines(still, World(1000, 800)).rows == 1


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_workers_make_the_same_of_it(workers: int) -> None:
    start(workers)
    flock = Flock(90, SMALL)
    for _ in range(3):
        drawn = flock.picture(10)
    picture = drawn.result(DEADLINE)
    assert rows_of(picture) == rows_of(outlines(one_after_the_other(90, SMALL, 30), SMALL))
    assert flock.behaviors == 30 * 2 * len(flock.cells) + 3


def test_all_are_in_the_cell_where_they_are() -> None:
    flock = Flock(200, SMALL)
    flock.picture(40).result(DEADLINE)
    numbers = []
    for place, cell in enumerate(flock.cells):
        boids = cell.result(DEADLINE)
        for boid in rows_of(boids) if boids is not None else []:
            assert SMALL.place_of(boid[X], boid[Y]) == place
            assert 0 <= boid[X] <= SMALL.width
            assert 0 <= boid[Y] <= SMALL.height
            numbers.append(boid[ID])
    assert sorted(numbers) == list(range(200))


@pytest.mark.parametrize("size", [(1, 1), (60, 60), (61, 120), (1200, 800), (119, 1)])
def test_the_cells_of_a_world(size: tuple[int, int]) -> None:
    world = World(*size)
    cells = world.columns * world.rows
    assert world.place_of(0, 0) == 0
    assert world.place_of(*size) == cells - 1
    for place in range(cells):
        around = list(world.around(place))
        assert place in around
        assert len(around) <= 9
        assert all(place in world.around(other) for other in around)
    assert FASTEST * LONGEST_STEP < VIEW  # else a boid could pass a cell by


def test_what_fails_in_a_cell_fails_the_picture() -> None:
    flock = Flock(50, SMALL)
    flock.picture().result(DEADLINE)
    with flock.cells[5]:
        flock.cells[5].value = "no boids"  # type: ignore[assignment]
    with pytest.raises((TypeError, AttributeError)):
        flock.picture(3).result(DEADLINE)
    wait(DEADLINE)  # nothing is reported: all failures were seen


# What is drawn -----------------------------------------------------------------------------------------------------


def test_outlines() -> None:
    east, north = [1, 100, 50, 3, 0], [0, 10, 20, 0, 5]
    first, second = rows_of(outlines(Matrix(2, 5, [*east, *north]), World(200, 200, 2.0)))
    assert first[:6] == pytest.approx([10, 36, 1, 10, 19, 10])  # in the order of their numbers
    assert second[:6] == pytest.approx([116, 50, 90, 59, 90, 41])
    assert first[6] == COLORS * 3 // 4
    assert second[6] == COLORS // 2


def picture_of(*triangles: list[float]) -> Matrix:
    return Matrix(len(triangles), 7, [number for triangle in triangles for number in triangle])


def dots(pixels: bytearray, width: int) -> list[str]:
    """A letter for each pixel: space where there is nothing."""
    letters = {bytes(BACKGROUND): ".", bytes(INK): "@", bytes(PALETTE[0]): "a", bytes(PALETTE[1]): "b"}
    flat = [letters[bytes(pixels[at : at + 3])] for at in range(0, len(pixels), 3)]
    return ["".join(flat[at : at + width]) for at in range(0, len(flat), width)]


def test_a_triangle_is_filled_where_middles_of_pixels_are_inside() -> None:
    assert dots(paint(picture_of([1, 1, 7, 1, 1, 5, 0]), 8, 6), 8) == [
        "........",
        ".a......",
        ".aa.....",
        ".aaaa...",
        ".aaaaa..",
        "........",
    ]


def test_what_is_outside_is_cut_off_and_the_last_is_on_top() -> None:
    everywhere = [-50.0, -50.0, 100.0, -50.0, -50.0, 100.0, 0.0]
    assert dots(paint(picture_of(everywhere, [2, 1, 4, 1, 2, 30, 1]), 4, 3), 4) == ["aabb", "aabb", "aaaa"]
    gone = picture_of([-9, -9, -5, -9, -9, -5, 0], [20, 1, 30, 1, 20, 5, 0], [1, 1, 1, 1, 1, 1, 0])
    assert set(dots(paint(gone, 4, 3), 4)) == {"...."}


def test_a_text_is_painted_and_cut_off() -> None:
    nothing = picture_of([0.0] * 7)
    lines = dots(paint(nothing, 60, 30, "1 fps"), 60)
    for row, line in enumerate(text_lines("1 fps")):
        expected = "." * TEXT_MARGIN + "".join(".@"[dot] for dot in line)
        assert lines[TEXT_MARGIN + row] == expected[:60].ljust(60, ".")
    assert len(paint(nothing, 12, 10, "1 fps")) == 3 * 120
    assert set(dots(paint(nothing, 3, 3, "1 fps"), 3)) == {"..."}


def test_the_meter() -> None:
    meter = Meter(12)
    assert meter.overlay() == "12 boids"
    for _ in range(5):
        meter.frame(100)
    assert re.fullmatch(r"12 boids  [\d,]+ behaviors/s  [\d.]+ fps", meter.overlay())
    text_lines("0123456789 ,." + meter.overlay())  # there is a glyph for all of it
    assert re.match(r"5 frames in \d+\.\d s, on average [\d,]+ behaviors/s and \d+\.\d frames/s", meter.average())
