"""What the tests of moving matrices share. Behaviors use this module too, so nothing here depends on pytest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bocpy import Matrix, _bocpy

address_of = _bocpy._matrix_address


@dataclass
class Record:
    name: str
    grid: Matrix


class Bag:
    def __init__(self, grid: Matrix) -> None:
        self.grid = grid
        self.again = [grid]


#: Each holds one matrix, which find() finds.
HOLDERS: dict[str, Any] = {
    "alone": lambda m: m,
    "list": lambda m: [1, m, "x"],
    "dict": lambda m: {"m": m},
    "tuple": lambda m: (m, [2]),
    "dataclass": lambda m: Record("r", m),
    "object": Bag,
    "deep": lambda m: [{"a": (Record("r", m), None)}],
}


def find(value: Any) -> Matrix:
    if isinstance(value, Matrix):
        return value
    if isinstance(value, (list, tuple)):
        return next(found for found in map(find, value) if found is not None)
    if isinstance(value, dict):
        return find(list(value.values()))
    return getattr(value, "grid", None)


class Turning:
    """An index that transposes the matrix when it is asked what it is."""

    def __init__(self, m: Matrix) -> None:
        self.m = m

    def __index__(self) -> int:
        self.m.transpose(in_place=True)
        return 4
