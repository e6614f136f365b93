"""Matrices the obvious way: lists of lists of floats, against which the tests hold the real ones."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence

from bocpy import Matrix

Rows = list[list[float]]


def matrix(rows: Sequence[Sequence[float]]) -> Matrix:
    return Matrix(len(rows), len(rows[0]), [x for row in rows for x in row])


def rows_of(m: Matrix) -> Rows:
    return [[m[i, j] for j in range(m.columns)] for i in range(m.rows)]


def bits(value: object) -> object:
    """The value with every float as its bits, so that NaN equals itself and 0.0 is not -0.0. NaNs are all the same."""
    if isinstance(value, Matrix):
        return bits(rows_of(value))
    if isinstance(value, (list, tuple)):
        return [bits(item) for item in value]
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("d", value)
    return value


def same(got: object, expected: object) -> bool:
    return bits(got) == bits(expected)


def transposed(rows: Rows) -> Rows:
    return [list(column) for column in zip(*rows)]  # noqa: B905  (3.10; all are of one length)


def divide(a: float, b: float) -> float:
    """a / b as the machine does it."""
    if b != 0:
        return a / b
    if a == 0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1, b)


BINARY: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": divide,
    "less": lambda a, b: float(a < b),
    "less_equal": lambda a, b: float(a <= b),
    "greater": lambda a, b: float(a > b),
    "greater_equal": lambda a, b: float(a >= b),
    "equal": lambda a, b: float(a == b),
    "not_equal": lambda a, b: float(a != b),
}


def whole(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda x: math.copysign(float(function(x)), x) if math.isfinite(x) else x


UNARY: dict[str, Callable[[float], float]] = {
    "ceil": whole(math.ceil),
    "floor": whole(math.floor),
    "round": whole(round),
    "negate": lambda x: -x,
    "abs": abs,
    "sqrt": lambda x: math.sqrt(x) if not x < 0 else math.nan,
    "reciprocal": lambda x: divide(1.0, x),
    "sign": lambda x: float((x > 0) - (x < 0)),
    "cos": lambda x: math.cos(x) if math.isfinite(x) else math.nan,
    "sin": lambda x: math.sin(x) if math.isfinite(x) else math.nan,
}


def shape(rows: Rows) -> tuple[int, int]:
    return len(rows), len(rows[0])


def combine(name: str, a: Rows, b: Rows) -> Rows | None:
    """Element by element with sides of 1 repeated; None if the shapes do not go together."""
    (ar, ac), (br, bc) = shape(a), shape(b)
    if (ar != br and 1 not in (ar, br)) or (ac != bc and 1 not in (ac, bc)):
        return None
    function = BINARY[name]
    return [[function(a[i % ar][j % ac], b[i % br][j % bc]) for j in range(max(ac, bc))] for i in range(max(ar, br))]


def product(a: Rows, b: Rows) -> Rows:
    result = []
    for row in a:
        line = []
        for column in transposed(b):
            total = 0.0
            for x, y in zip(row, column):  # noqa: B905
                total += x * y
            line.append(total)
        result.append(line)
    return result


def groups(rows: Rows, axis: int | None) -> Rows:
    """What a reduction takes together."""
    if axis is None:
        return [[x for row in rows for x in row]]
    return transposed(rows) if axis in (0, -2) else rows


def per_group(rows: Rows, axis: int | None, function: Callable[[list[float]], float]) -> object:
    """The results in the shape that a reduction gives them."""
    results = [function(group) for group in groups(rows, axis)]
    if axis is None:
        return results[0]
    return [results] if axis in (0, -2) else [[x] for x in results]


def total(group: Sequence[float]) -> float:
    result = 0.0
    for x in group:
        result += x
    return result


def least(group: Sequence[float]) -> float:
    return min((x for x in group if not math.isnan(x)), default=math.nan)


def greatest(group: Sequence[float]) -> float:
    return max((x for x in group if not math.isnan(x)), default=math.nan)


def root(x: float) -> float:
    return math.sqrt(x) if not math.isnan(x) else x


REDUCTIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": total,
    "mean": lambda group: total(group) / len(group) if group else math.nan,
    "min": least,
    "max": greatest,
    "magnitude_squared": lambda group: total([x * x for x in group]),
    "magnitude": lambda group: root(total([x * x for x in group])),
}


def place(group: Sequence[tuple[int, float]], greatest_wanted: bool) -> int:
    """The index of the first extreme; the first one's if that is NaN; -1 of nothing."""
    if not group:
        return -1
    if math.isnan(group[0][1]):
        return group[0][0]
    numbers = [(i, x) for i, x in group if not math.isnan(x)]
    extreme = (max if greatest_wanted else min)(x for _, x in numbers)
    return next(i for i, x in numbers if x == extreme)


def best(group: Sequence[tuple[int, float]], k: int, largest: bool) -> list[tuple[float, int]]:
    order = sorted(
        group, key=lambda item: (math.isnan(item[1]), 0 if math.isnan(item[1]) else -item[1] if largest else item[1])
    )
    return [(x, i) for i, x in order[:k]] + [(math.nan, -1)] * (k - len(order[:k]))
