"""What matrices compute, against lists of lists."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from bocpy import Matrix
from hypothesis import given, settings
from hypothesis import strategies as st
from matrix_reference import (
    BINARY,
    REDUCTIONS,
    UNARY,
    Rows,
    best,
    combine,
    groups,
    matrix,
    per_group,
    place,
    product,
    rows_of,
    same,
    shape,
    transposed,
)

FEW = settings(max_examples=20, deadline=None)

NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, math.inf, -math.inf, math.nan, 1e308, -1e308, 5e-324]),
    st.floats(-100, 100),
    st.floats(),
)
TAME = st.floats(-100, 100)
SIDES = st.integers(1, 4)
AXES = st.sampled_from([None, 0, 1, -1, -2])


def rows_like(rows: int, columns: int, numbers: st.SearchStrategy[float] = NUMBERS) -> st.SearchStrategy[Rows]:
    line = st.lists(numbers, min_size=columns, max_size=columns)
    return st.lists(line, min_size=rows, max_size=rows)


def any_rows(numbers: st.SearchStrategy[float] = NUMBERS) -> st.SearchStrategy[Rows]:
    return st.tuples(SIDES, SIDES).flatmap(lambda sides: rows_like(*sides, numbers))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Rows, Rows]:
    """Two that go together most of the time."""
    a = draw(any_rows())
    rows, columns = shape(a)
    other = draw(st.sampled_from([(rows, columns), (1, columns), (rows, 1), (1, 1), (rows + 1, columns)]))
    b = draw(rows_like(*other))
    return (a, b) if draw(st.booleans()) else (b, a)


@st.composite
def masked(draw: st.DrawFn) -> tuple[Rows, Rows]:
    a = draw(any_rows())
    return a, draw(rows_like(*shape(a), st.sampled_from([0.0, 1.0, -2.0])))


@pytest.mark.parametrize("name", BINARY)
@FEW
@given(pairs())
def test_two_operands(name: str, pair: tuple[Rows, Rows]) -> None:
    a, b = pair
    expected = combine(name, a, b)
    if expected is None:
        with pytest.raises(ValueError, match="Dimension mismatch"):
            getattr(matrix(a), name)(matrix(b))
        return
    assert same(getattr(matrix(a), name)(matrix(b)), expected)
    out = Matrix(*shape(expected))
    assert getattr(matrix(a), name)(matrix(b), out=out) is out
    assert same(out, expected)


OPERATORS = {
    "add": (lambda a, b: a + b),
    "subtract": (lambda a, b: a - b),
    "multiply": (lambda a, b: a * b),
    "divide": (lambda a, b: a / b),
}


@pytest.mark.parametrize("name", OPERATORS)
@FEW
@given(pairs(), NUMBERS)
def test_operators(name: str, pair: tuple[Rows, Rows], number: float) -> None:
    operator = OPERATORS[name]
    a, b = pair
    m = matrix(a)
    assert same(operator(m, number), combine(name, a, [[number]]))
    assert same(operator(number, m), combine(name, [[number]], a))
    row = a[-1]
    assert same(operator(m, row), combine(name, a, [row]))
    assert same(operator(tuple(row), m), combine(name, [row], a))
    expected = combine(name, a, b)
    if expected is not None:
        assert same(operator(m, matrix(b)), expected)
    assert same(m, a)


@pytest.mark.parametrize("name", OPERATORS)
@FEW
@given(pairs())
def test_in_place(name: str, pair: tuple[Rows, Rows]) -> None:
    a, b = pair
    m = kept = matrix(a)
    expected = combine(name, a, b)
    if expected is None or shape(expected) != shape(a):
        with pytest.raises(ValueError):
            exec(f"m {'+-*/'[list(OPERATORS).index(name)]}= b", {"m": m, "b": matrix(b)})
        assert same(m, a)
        return
    space = {"m": m, "b": matrix(b)}
    exec(f"m {'+-*/'[list(OPERATORS).index(name)]}= b", space)
    assert space["m"] is kept
    assert same(kept, expected)


@pytest.mark.parametrize("name", UNARY)
@FEW
@given(any_rows())
def test_one_operand(name: str, a: Rows) -> None:
    expected = [[UNARY[name](x) for x in row] for row in a]
    m = matrix(a)
    got = getattr(m, name)()
    if name in ("sin", "cos"):
        assert Matrix.allclose(got, matrix(expected), rtol=1e-14, equal_nan=True)
        expected = rows_of(got)
    assert same(got, expected)
    assert same(m, a)
    out = Matrix(*shape(a))
    assert getattr(m, name)(out=out) is out
    assert same(out, expected)
    assert getattr(m, name)(in_place=True) is m
    assert same(m, expected)


@FEW
@given(any_rows())
def test_signs(a: Rows) -> None:
    assert same(-matrix(a), [[-x for x in row] for row in a])
    assert same(abs(matrix(a)), [[abs(x) for x in row] for row in a])


@FEW
@given(any_rows(), st.none() | NUMBERS, st.none() | NUMBERS)
def test_clip(a: Rows, low: float | None, high: float | None) -> None:
    m = matrix(a)
    if (low is None and high is None) or (low is not None and high is not None and high < low):
        with pytest.raises(ValueError, match="clip"):
            m.clip(low, high)
        return
    least = -math.inf if low is None else low
    most = math.inf if high is None else high
    expected = [[least if x < least else most if x > most else x for x in row] for row in a]
    assert same(m.clip(low, high), expected)
    assert m.clip(min=low, max=high, in_place=True) is m
    assert same(m, expected)


@FEW
@given(st.lists(st.tuples(*[st.integers(-(2**40), 2**40)] * 3), min_size=1, max_size=8))
def test_fma_rounds_once(triples: list[tuple[int, int, int]]) -> None:
    a, b, c = ([float(t[i]) / 2**20 for t in triples] for i in range(3))
    exact = [float(Fraction(x) * Fraction(y) + Fraction(z)) for x, y, z in zip(a, b, c)]  # noqa: B905
    assert list(matrix([a]).fma(matrix([b]), matrix([c])).values()) == exact
    twice = [x + y * z for x, y, z in zip(a, b, c)]  # noqa: B905
    scaled = matrix([a]).scaled_add(matrix([b]), matrix([c]))
    assert list(scaled.values()) == twice


@FEW
@given(any_rows(TAME), TAME)
def test_fma_repeats(a: Rows, number: float) -> None:
    m, row, column = matrix(a), [a[0]], [[line[0]] for line in a]
    expected = [[float(Fraction(x) * Fraction(row[0][j]) + Fraction(column[i][0])) for j, x in enumerate(line)]
                for i, line in enumerate(a)]  # fmt: skip
    assert list(m.fma(matrix(row), matrix(column)).values()) == [x for line in expected for x in line]
    assert m.fma(number, 1, in_place=True) is m


@FEW
@given(st.tuples(SIDES, SIDES, SIDES).flatmap(lambda s: st.tuples(rows_like(s[0], s[1]), rows_like(s[1], s[2]))))
def test_product(pair: tuple[Rows, Rows]) -> None:
    a, b = pair
    assert same(matrix(a) @ matrix(b), product(a, b))


@pytest.mark.parametrize("sides", [(1, 700, 3), (13, 1100, 9), (64, 64, 64), (5, 600, 31), (37, 41, 8), (4, 513, 16)])
def test_large_products_are_the_same_bit_by_bit(sides: tuple[int, int, int]) -> None:
    draw = random.Random(sum(sides))
    a = [[draw.gauss(0, 10) for _ in range(sides[1])] for _ in range(sides[0])]
    b = [[draw.gauss(0, 10) for _ in range(sides[2])] for _ in range(sides[1])]
    expected = product(a, b)
    assert same(matrix(a) @ matrix(b), expected)
    assert same((matrix(b).T @ matrix(a).T).T, expected)


def test_products_of_vectors_lists_and_views() -> None:
    m = Matrix(2, 3, [1, 2, 3, 4, 5, 6])
    assert same([1, 2] @ m, [[9.0, 12.0, 15.0]])
    assert same(m @ m.view[0].T, [[14.0], [32.0]])
    assert same(m.view[:, 0].T @ m.view[:, 2], [[27.0]])
    with pytest.raises(ValueError, match="2x3 @ 1x3"):
        m @ [1, 2, 3]
    with pytest.raises(TypeError):
        m @ 5


@pytest.mark.parametrize("name", REDUCTIONS)
@FEW
@given(any_rows(), AXES)
def test_reductions(name: str, a: Rows, axis: int | None) -> None:
    assert same(getattr(matrix(a), name)(axis), per_group(a, axis, REDUCTIONS[name]))


def included(a: Rows, mask: Rows, axis: int | None) -> list[list[tuple[int, float]]]:
    """Of each group the numbers that the mask includes, with their places."""
    return [
        [(i, x) for i, (x, flag) in enumerate(zip(group, flags)) if flag]  # noqa: B905
        for group, flags in zip(groups(a, axis), groups(mask, axis))  # noqa: B905
    ]


@pytest.mark.parametrize("name", REDUCTIONS)
@FEW
@given(masked(), AXES)
def test_masked_reductions(name: str, pair: tuple[Rows, Rows], axis: int | None) -> None:
    a, mask = pair
    results = [REDUCTIONS[name]([x for _, x in group]) for group in included(a, mask, axis)]
    got = getattr(matrix(a), name)(axis, where=matrix(mask))
    if axis is None:
        assert same(got, results[0])
    else:
        assert same(list(got.values()), results)


@pytest.mark.parametrize("name", ["argmin", "argmax"])
@FEW
@given(masked(), AXES)
def test_places(name: str, pair: tuple[Rows, Rows], axis: int | None) -> None:
    a, mask = pair
    everything = [[1.0] * len(a[0])] * len(a)
    for flags, arguments in ((everything, {}), (mask, {"where": matrix(mask)})):
        expected = [place(group, name == "argmax") for group in included(a, flags, axis)]
        got = getattr(matrix(a), name)(axis, **arguments)
        assert got == (expected[0] if axis is None else expected)
        if axis is not None:
            m = getattr(matrix(a), name)(axis, as_matrix=True, **arguments)
            assert list(m.values()) == expected
            assert m.shape == matrix(a).sum(axis).shape


@FEW
@given(masked(), AXES, st.integers(1, 9), st.booleans())
def test_topk(pair: tuple[Rows, Rows], axis: int | None, k: int, largest: bool) -> None:
    a, mask = pair
    m = matrix(a)
    if k > len(groups(a, axis)[0]):
        with pytest.raises(ValueError, match="cannot exceed"):
            m.topk(k, axis)
        return
    expected = [best(group, k, largest) for group in included(a, mask, axis)]
    values, indices = m.topk(k, axis, largest, matrix(mask))
    lines = transposed(rows_of(values)) if axis in (0, -2) else rows_of(values)
    assert same(lines, [[x for x, _ in group] for group in expected])
    places = [[i for _, i in group] for group in expected]
    assert indices == (places[0] if axis is None else places)
    _, as_matrix = m.topk(k, axis, largest, matrix(mask), as_matrix=True)
    lines = transposed(rows_of(as_matrix)) if axis in (0, -2) else rows_of(as_matrix)
    assert lines == places


@FEW
@given(pairs(), AXES)
def test_vecdot(pair: tuple[Rows, Rows], axis: int | None) -> None:
    a, b = pair
    products = combine("multiply", a, b)
    vectors = all(1 in shape(rows) for rows in pair)
    if products is None and not (vectors and len(a) * len(a[0]) == len(b) * len(b[0])):
        with pytest.raises(ValueError, match="vecdot"):
            matrix(a).vecdot(matrix(b), axis)
    elif products is not None and shape(a) == shape(b):
        assert same(matrix(a).vecdot(matrix(b), axis), per_group(products, axis, REDUCTIONS["sum"]))
    if len(a) == 1:
        assert same(matrix(a).vecdot(matrix(transposed(a))), REDUCTIONS["magnitude_squared"](a[0]))


@FEW
@given(any_rows(TAME), AXES)
def test_normalize(a: Rows, axis: int | None) -> None:
    got = matrix(a).normalize(axis)
    lengths = [math.sqrt(REDUCTIONS["magnitude_squared"](group)) for group in groups(a, axis)]
    expected = [[x / length if length else x for x in group] for group, length in zip(groups(a, axis), lengths)]  # noqa: B905
    if axis in (0, -2):
        expected = transposed(expected)
    flat = [x for line in expected for x in line]
    assert list(got.values()) == flat
    m = matrix(a)
    assert m.normalize(axis, True) is m
    assert list(m.values()) == flat


@FEW
@given(st.lists(st.tuples(TAME, TAME), min_size=1, max_size=5))
def test_vectors_in_the_plane(vectors: list[tuple[float, float]]) -> None:
    m = matrix([list(v) for v in vectors])
    turned = [[-y, x] for x, y in vectors]
    angles = [math.atan2(y, x) for x, y in vectors]
    assert same(m.perpendicular(1), turned)
    assert same(m.T.perpendicular(0), transposed(turned))
    if len(vectors) == 1:
        assert (m.angle(), m.T.angle()) == (angles[0], angles[0])
    else:
        assert same(m.angle(1), [[x] for x in angles])
        assert same(m.T.angle(0), [angles])
    others = m.T.T * 2 + 1
    areas = [x * (2 * y + 1) - y * (2 * x + 1) for x, y in vectors]
    got = m.cross(others, 1)
    assert list(got.values() if isinstance(got, Matrix) else [got]) == areas
    assert m.perpendicular(1, in_place=True) is m


@FEW
@given(st.lists(st.tuples(TAME, TAME, TAME), min_size=1, max_size=5), st.tuples(TAME, TAME, TAME))
def test_cross_in_space(vectors: list[tuple[float, float, float]], other: tuple[float, float, float]) -> None:
    u, v, w = other
    expected = [[y * w - z * v, z * u - x * w, x * v - y * u] for x, y, z in vectors]
    m = matrix([list(x) for x in vectors])
    if len(vectors) != 2:  # 2x3 is read as three vectors of two numbers
        assert same(m.cross(list(other), 1), expected)
        assert same(m.cross(Matrix.vector(other, True), 1), expected)
        assert same(m.T.cross(list(other), 0), transposed(expected))


@FEW
@given(any_rows(), st.integers(1, 6), st.booleans())
def test_bin(a: Rows, bins: int, right: bool) -> None:
    low, high = -2.0, 6.0
    got = matrix(a).bin(bins, bounds=(low, high), right=right)
    for x, index in zip(matrix(a).values(), got.values()):  # noqa: B905
        if math.isnan(x):
            assert index == -1
        elif x <= low:
            assert index == 0
        elif x >= high:
            assert index == bins - 1
        else:
            scaled = (x - low) / (high - low) * bins
            assert 0 <= index < bins
            assert index - 1e-9 <= scaled <= index + 1 + 1e-9


def test_bin_edges() -> None:
    row = Matrix(1, 7, [-1, 0, 5, 10, 11, math.nan, math.inf])
    assert list(row.bin(2, bounds=(0, 10)).values()) == [0, 0, 1, 1, 1, -1, 1]
    assert list(row.bin(2, bounds=(0, 10), right=True).values()) == [0, 0, 0, 1, 1, -1, 1]
    assert list(Matrix(1, 4, [1, 2, 3, 4]).bin(2).values()) == [0, 0, 1, 1]
    assert list(Matrix(1, 2, 5).bin(3).values()) == [0, 0]
    assert list(Matrix(1, 3, [-1.7e308, 0, 1.7e308]).bin(2).values()) == [0, 1, 1]
    m = Matrix(2, 2, [1, 2, 3, 4])
    assert m.bin(4, in_place=True) is m
    assert list(m.values()) == [0, 1, 2, 3]
    for wrong in (
        {"bins": 0},
        {"bins": 2, "bounds": (5, 1)},
        {"bins": 2, "bounds": (1,)},
        {"bins": 2, "bounds": (0, math.nan)},
    ):
        with pytest.raises(ValueError):
            m.bin(**wrong)
    with pytest.raises(TypeError, match="pair"):
        m.bin(2, bounds=5)


@FEW
@given(any_rows(), st.lists(st.floats(allow_nan=False), min_size=1, max_size=6, unique=True), st.booleans())
def test_digitize(a: Rows, edges: list[float], right: bool) -> None:
    edges = sorted(set(edges))
    got = matrix(a).digitize(edges, right=right)
    for x, index in zip(matrix(a).values(), got.values()):  # noqa: B905
        below = sum(edge < x if right else edge <= x for edge in edges)
        assert index == (-1 if math.isnan(x) else below)


def test_digitize_refuses() -> None:
    for edges in ([2, 1], [1, 1], [math.nan], [1, math.nan], [], Matrix(2, 2, [1, 2, 3, 4])):
        with pytest.raises(ValueError):
            Matrix(1, 2).digitize(edges)


@FEW
@given(any_rows())
def test_transposing(a: Rows) -> None:
    m = matrix(a)
    assert same(m.T, transposed(a))
    assert same(m.transpose(), transposed(a))
    assert m.transpose(in_place=True) is m
    assert same(m, transposed(a))
    assert m.shape == (len(a[0]), len(a))


@FEW
@given(masked(), st.integers(1, 3))
def test_the_rest_by_number(pair: tuple[Rows, Rows], repeats: int) -> None:
    a, mask = pair
    m = matrix(a)
    expected = [[x if flag else -1.0 for x, flag in zip(*lines)] for lines in zip(a, mask)]  # noqa: B905
    assert same(Matrix.where(matrix(mask), m, -1), expected)
    assert Matrix.where(matrix(mask), m, -1, out=m) is m
    assert same(m, expected)
    m = matrix(a)
    assert same(m.repeat_interleave(repeats), [[x for row in a for x in row for _ in range(repeats)]])
    assert same(m.repeat_interleave(repeats, 0), [row for row in a for _ in range(repeats)])
    assert same(m.repeat_interleave(repeats, 1), [[x for x in row for _ in range(repeats)] for row in a])
    assert same(Matrix.concat([m, m.T.T, a[0]]), [*a, *a, a[0]])
    assert same(Matrix.concat([m, matrix(mask)], 1), [x + y for x, y in zip(a, mask)])  # noqa: B905


@FEW
@given(any_rows())
def test_a_matrix_with_itself(a: Rows) -> None:
    m = matrix(a)
    assert same(m.T @ m, product(transposed(a), a))
    assert same(m.add(m, out=m), combine("add", a, a))
    square = [row + [0.0] * (4 - len(row)) for row in a] + [[0.0] * 4] * (4 - len(a))
    s = matrix(square)
    s += s.T
    assert same(s, combine("add", square, transposed(square)))
    r = matrix(a)
    r += r.view[-1, ::-1]
    assert same(r, combine("add", a, [a[-1][::-1]]))
