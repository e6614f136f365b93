"""What the tests of the boids share: the flock without cowns, and the command."""

from __future__ import annotations

import subprocess
import sys

from bocpy import Matrix
from bocpy.examples._boids_flock import World, deal, fly, scatter

#: What the command prints last, for a number of frames.
AVERAGE = r"{} frames in [\d.]+ s, on average [\d,]+ behaviors/s and [\d.]+ frames/s\n"


def rows_of(matrix: Matrix) -> list[list[float]]:
    return [list(row) for row in matrix.row_views()]


def one_after_the_other(boids: int, world: World, steps: int) -> Matrix:
    """All boids after so many steps, cell by cell, without cowns."""
    cells = deal(scatter(boids, world, 1), world)
    for _ in range(steps):
        moved = {}
        for place, own in cells.items():
            around = Matrix.concat([cells[other] for other in world.around(place) if other in cells])
            moved[place] = deal(fly(own, around, world), world)
        parts: dict[int, list[Matrix]] = {}
        for place in range(world.columns * world.rows):
            for other in world.around(place):
                if place in moved.get(other, {}):
                    parts.setdefault(place, []).append(moved[other][place])
        cells = {place: Matrix.concat(part) for place, part in parts.items()}
    return Matrix.concat(list(cells.values()))


def run(arguments: list[str], environment: dict[str, str], code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bocpy.examples.boids", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done
    return done
