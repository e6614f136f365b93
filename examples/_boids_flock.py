"""The flock of bocpy-boids: where the boids are, how they fly, and the behaviors that move them all by a step.

The world is cut into square cells, as wide as a boid can see. Each cell is a cown with the boids in it: a `Matrix` with
a row for each, or None. Whoever sees a boid is in its cell or in one of the eight around.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import NamedTuple

from bocpy import Cown, Matrix, read, when

# The columns of a flock's matrix: a number that stays with the boid, where it is, and how fast it flies.
ID, X, Y, VX, VY = range(5)
COLUMNS = 5

# Everything in pixels and seconds, and multiplied by the world's scale where it is a length or a speed.
VIEW = 60.0  # how far a boid sees, and how wide a cell is
SPACE = 18.0  # closer ones it flies away from
SLOWEST, FASTEST = 90.0, 220.0
MARGIN = 50.0  # so near the edge it turns around
TURN = 600.0
COHESION, ALIGNMENT, SEPARATION = 1.2, 2.4, 22.0

LONGEST_STEP = 1 / 30  # seconds: then no boid gets past the next cell
NOSE, TAIL, WING = 8.0, 5.0, 4.5  # from the middle of a boid to its corners
COLORS = 24  # of the headings


class World(NamedTuple):
    """What does not change: the size in pixels, the scale of all lengths, and the seconds of a step."""

    width: int
    height: int
    scale: float = 1.0
    step: float = LONGEST_STEP

    @property
    def side(self) -> float:
        """The width of a cell."""
        return VIEW * self.scale

    @property
    def columns(self) -> int:
        return math.ceil(self.width / self.side)

    @property
    def rows(self) -> int:
        return math.ceil(self.height / self.side)

    def place_of(self, x: float, y: float) -> int:
        """The number of the cell around a point; the far edges belong to the last cells."""
        column = min(int(x / self.side), self.columns - 1)
        row = min(int(y / self.side), self.rows - 1)
        return row * self.columns + column

    def around(self, place: int) -> Iterator[int]:
        """The numbers of a cell and those that touch it."""
        row, column = divmod(place, self.columns)
        for r in range(max(0, row - 1), min(row + 2, self.rows)):
            for c in range(max(0, column - 1), min(column + 2, self.columns)):
                yield r * self.columns + c


# --- Without cowns ---------------------------------------------------------------------------------------------------


def scatter(boids: int, world: World, seed: int) -> Matrix:
    """Boids anywhere in the world, flying anywhere."""
    draw = random.Random(seed)
    rows = Matrix.zeros((boids, COLUMNS))
    for number in range(boids):
        heading = draw.uniform(-math.pi, math.pi)
        speed = draw.uniform(SLOWEST, FASTEST) * world.scale
        x, y = draw.uniform(0, world.width), draw.uniform(0, world.height)
        rows[number] = [number, x, y, speed * math.cos(heading), speed * math.sin(heading)]
    return rows


def deal(rows: Matrix, world: World) -> dict[int, Matrix]:
    """The boids of each cell that has some."""
    members: dict[int, list[int]] = {}
    for index, (x, y) in enumerate(zip(rows.view[:, X], rows.view[:, Y], strict=True)):
        members.setdefault(world.place_of(x, y), []).append(index)
    return {place: rows.take(indices) for place, indices in members.items()}


def fly(own: Matrix, around: Matrix, world: World) -> Matrix:
    """The boids `own` a step later; `around` are all that they can see, themselves too.

    Each flies towards the middle of those it sees, at their speed, and away from those that are too close. (Reynolds,
    "Flocks, herds, and schools: a distributed behavioral model", SIGGRAPH 1987.)
    """
    where, speed = own[:, [X, Y]], own[:, [VX, VY]]
    # A row for each of our own, a column for each around.
    dx = around[:, [X]].T - own[:, [X]]
    dy = around[:, [Y]].T - own[:, [Y]]
    distance = dx * dx + dy * dy
    seen = distance.less_equal((VIEW * world.scale) ** 2)
    close = distance.less((SPACE * world.scale) ** 2)
    mean = seen @ around[:, [X, Y, VX, VY]] / seen.sum(axis=1)
    away = Matrix.concat([(close * dx).sum(axis=1), (close * dy).sum(axis=1)], axis=1)

    margin = MARGIN * world.scale
    size = Matrix.vector([world.width, world.height])
    inwards = where.less(margin) - where.greater(size - margin)

    change = COHESION * (mean[:, [0, 1]] - where) + ALIGNMENT * (mean[:, [2, 3]] - speed) - SEPARATION * away
    speed += world.step * (change + TURN * world.scale * inwards)
    length = speed.magnitude(axis=1)
    speed *= length.clip(SLOWEST * world.scale, FASTEST * world.scale) / length.clip(min=1e-9)
    where += world.step * speed
    speed *= 1 - 2 * (where.less(0) + where.greater(size))  # the edge itself throws it back
    x = where[:, [0]].clip(0, world.width)
    y = where[:, [1]].clip(0, world.height)
    return Matrix.concat([own[:, [ID]], x, y, speed], axis=1)


def outlines(rows: Matrix, world: World) -> Matrix:
    """What there is to draw: for each boid the corners of a triangle, x and y by turns, and the number of its color.

    They are in the order of their numbers, so that a picture does not depend on the cells.
    """
    numbers = list(rows.view[:, ID])
    rows = rows.take(sorted(range(len(numbers)), key=numbers.__getitem__))
    where, speed = rows[:, [X, Y]], rows[:, [VX, VY]]
    ahead = speed / speed.magnitude(axis=1).clip(min=1e-9)
    aside = ahead.perpendicular(axis=1) * (WING * world.scale)
    back = where - TAIL * world.scale * ahead
    turns = [0.5 + math.atan2(vy, vx) / math.tau for vx, vy in zip(rows.view[:, VX], rows.view[:, VY], strict=True)]
    color = Matrix.vector([int(turn * COLORS) % COLORS for turn in turns], as_column=True)
    return Matrix.concat([where + NOSE * world.scale * ahead, back + aside, back - aside, color], axis=1)


# --- With cowns ------------------------------------------------------------------------------------------------------


class Flock:
    """Boids in cells, and the behaviors that move them. To be used by one thread."""

    def __init__(self, boids: int, world: World, seed: int = 1) -> None:
        """`boids` of them, scattered over the world; the same seed makes the same flock."""
        cells = deal(scatter(boids, world, seed), world)
        places = range(world.columns * world.rows)
        self.world = world
        self.rules = Cown(world)  # the same, for the behaviors: all read it at the same time
        self.cells: list[Cown[Matrix | None]] = [Cown(cells.get(place)) for place in places]
        self.around = [list(world.around(place)) for place in places]
        self.settled: list[Cown[None]] = []
        self.behaviors = 0  # scheduled so far

    def _step(self) -> None:
        """Schedule a step of all boids.

        Cells only read one another, so neighbors fly side by side. A cell takes in who has come when all around it have
        flown, and the next step begins there when that is done: nowhere does anybody wait for the whole flock.
        """
        moved = [self._move(place) for place in range(len(self.cells))]
        self.settled += [self._settle(place, moved) for place in range(len(self.cells))]
        self.behaviors += 2 * len(self.cells)

    def _move(self, place: int) -> Cown[dict[int, Matrix]]:
        """The result: the boids that were in this cell, by the cells in which they are a step later."""

        @when(read(self.cells[place]), read([self.cells[other] for other in self.around[place]]), read(self.rules))
        def moved(cell, around, rules):
            if cell.value is None:
                return {}
            seen = Matrix.concat([other.value for other in around if other.value is not None])
            return deal(fly(cell.value, seen, rules.value), rules.value)

        return moved

    def _settle(self, place: int, moved: list[Cown[dict[int, Matrix]]]) -> Cown[None]:
        """Let in who has come, and go who has left."""

        @when(self.cells[place], read([moved[other] for other in self.around[place]]))
        def settled(cell, moved):
            parts = [cells[place] for cells in values_of(moved) if place in cells]
            cell.value = Matrix.concat(parts) if parts else None

        return settled

    def picture(self, steps: int = 1) -> Cown[Matrix]:
        """Schedule so many steps and then the drawing of all boids; the result is as `outlines` says.

        If a step has failed, so does this.
        """
        for _ in range(steps):
            self._step()

        @when(read(self.cells), read(self.settled), read(self.rules))
        def drawn(cells, settled, rules):
            values_of(settled)
            return outlines(Matrix.concat([cell.value for cell in cells if cell.value is not None]), rules.value)

        self.settled = []
        self.behaviors += 1
        return drawn


def values_of(results: list[Cown]) -> list:
    """What the behaviors returned; what the first that failed raised is raised here. All failures count as seen."""
    failed = [result.value for result in results if result.exception]
    if failed:
        raise failed[0]
    return [result.value for result in results]
