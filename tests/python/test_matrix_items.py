"""m[...], take() and put(), views, iterating."""

from __future__ import annotations

import gc
import operator
from typing import Any

import pytest
from bocpy import Matrix, MatrixView
from hypothesis import given, settings
from hypothesis import strategies as st
from matrix_reference import matrix, rows_of, same

FEW = settings(max_examples=60, deadline=None)
SLICES = st.slices(5) | st.slices(3)


def sample() -> Matrix:
    return Matrix(2, 3, [1, 2, 3, 4, 5, 6])


def counted(rows: int, columns: int) -> list[list[float]]:
    return [[float(10 * i + j) for j in range(columns)] for i in range(rows)]


@FEW
@given(st.integers(1, 5), st.integers(1, 5), SLICES | st.integers(-6, 5), SLICES | st.integers(-6, 5))
def test_like_lists(rows: int, columns: int, i: Any, j: Any) -> None:
    numbers = counted(rows, columns)
    m = matrix(numbers)
    try:
        lines = numbers[i] if isinstance(i, slice) else [numbers[i]]
        expected = [line[j] if isinstance(j, slice) else [line[j]] for line in lines]
        if not expected or not expected[0]:
            raise IndexError
    except IndexError:
        with pytest.raises(IndexError):
            m[i, j]
        with pytest.raises(IndexError):
            m[i, j] = 1
        assert same(m, numbers)
        return
    got = m[i, j]
    if isinstance(i, int) and isinstance(j, int):
        assert got == expected[0][0]
    else:
        assert same(got, expected)
    value = Matrix(len(expected), len(expected[0]), range(len(expected) * len(expected[0]))) - 100
    m[i, j] = value
    again = m[i, j]
    assert (again == value.x) if isinstance(again, float) else same(again, rows_of(value))
    touched = sum(x < 0 for x in m.values())
    assert touched == value.size


def test_rows() -> None:
    m, column = sample(), Matrix(3, 1, [1, 2, 3])
    assert rows_of(m[0]) == [[1.0, 2.0, 3.0]]
    assert rows_of(m[-1]) == [[4.0, 5.0, 6.0]]
    assert (column[1], m[True, 0]) == (2.0, 4.0)
    assert [rows_of(row) for row in m] == [[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]]
    assert list(column) == [1.0, 2.0, 3.0]
    assert list(m.values()) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    values = m.values()
    next(values)
    assert operator.length_hint(values) == 5
    assert (list(values), next(values, None)) == ([2.0, 3.0, 4.0, 5.0, 6.0], None)


def test_lists_of_rows_or_columns() -> None:
    m = sample()
    assert rows_of(m[[1, 1, -2]]) == [[4.0, 5.0, 6.0], [4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]
    assert rows_of(m[[0], :]) == [[1.0, 2.0, 3.0]]
    assert rows_of(m[:, [2, 0]]) == [[3.0, 1.0], [6.0, 4.0]]
    m[[1, 0]] = Matrix(2, 3, [6, 5, 4, 3, 2, 1])
    assert rows_of(m) == [[3.0, 2.0, 1.0], [6.0, 5.0, 4.0]]
    m[:, [0, 2]] = 0
    assert rows_of(m) == [[0.0, 2.0, 0.0], [0.0, 5.0, 0.0]]
    for key in (([0], [1]), ([0], 1), (0, [1]), ([0], slice(0, 3)), (slice(0, 2), [0])):
        with pytest.raises(IndexError, match="fancy indexing"):
            m[key]
        with pytest.raises(IndexError, match="fancy indexing"):
            m[key] = 1
    with pytest.raises(IndexError, match="must not be empty"):
        m[[]]


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (2, IndexError), (-3, IndexError), ((0, 3), IndexError), ("x", TypeError), (1.0, TypeError), (None, TypeError),
        (..., TypeError), ((0, 1, 2), KeyError), ((), KeyError), ([0.5], TypeError), ([5], IndexError),
        (2**70, IndexError), ([2**70], IndexError), (slice(0, 0), IndexError), (slice(5, None), IndexError),
        (slice(None, None, 0), ValueError), (slice("a", None), TypeError), (sample(), TypeError),
    ],
)  # fmt: skip
def test_keys_that_are_none(key: Any, error: type[Exception]) -> None:
    m = sample()
    with pytest.raises(error):
        m[key]
    with pytest.raises(error):
        m[key] = 0
    assert same(m, rows_of(sample()))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (0, 9, [[9, 9, 9], [4, 5, 6]]),
        (0, [7, 8, 9], [[7, 8, 9], [4, 5, 6]]),
        ((0, 1), 5, [[1, 5, 3], [4, 5, 6]]),
        ((0, 1), [5], [[1, 5, 3], [4, 5, 6]]),
        (slice(None), [7, 8, 9], [[7, 8, 9], [7, 8, 9]]),
        (slice(None), Matrix(2, 1, [1, 2]), [[1, 1, 1], [2, 2, 2]]),
        ((slice(None), 1), [7, 8], [[1, 7, 3], [4, 8, 6]]),
        ((slice(None), 1), Matrix(2, 1, [7, 8]), [[1, 7, 3], [4, 8, 6]]),
        ((slice(None), slice(0, 2)), [9, 8], [[9, 8, 3], [9, 8, 6]]),
        (slice(None, None, -1), sample(), [[4, 5, 6], [1, 2, 3]]),
        (1, sample().view[0], [[1, 2, 3], [1, 2, 3]]),
    ],
)
def test_assigning(key: Any, value: Any, expected: list[list[float]]) -> None:
    m = sample()
    m[key] = value
    assert m == matrix(expected)


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        (0, [1, 2], ValueError), (0, Matrix(3, 1), ValueError), ((0, 1), [1, 2], ValueError), (0, "x", TypeError),
        (0, ["x", 1, 2], TypeError), (0, None, TypeError),
        ([0], [1, 2, 3], TypeError), ([1, 0], Matrix(1, 3), ValueError),
        ([1, 5], 0, IndexError), (0, [1, 2, 10**400], OverflowError),
    ],
)  # fmt: skip
def test_assigning_what_does_not_fit(key: Any, value: Any, error: type[Exception]) -> None:
    m = sample()
    with pytest.raises(error):
        m[key] = value
    assert same(m, rows_of(sample()))


def test_numbers_cannot_be_deleted() -> None:
    for target in (sample(), sample().view[0]):
        with pytest.raises(TypeError):
            del target[0]  # type: ignore[union-attr]


def test_itself_in_another_order() -> None:
    m = sample()
    m[::-1] = m
    assert rows_of(m) == [[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]
    m[[1, 0]] = m
    assert rows_of(m) == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    m[0] = m.view[0, ::-1]
    assert rows_of(m[0]) == [[3.0, 2.0, 1.0]]
    row = m.view[1]
    row[:] = row[::-1]
    assert rows_of(m[1]) == [[6.0, 5.0, 4.0]]
    v = Matrix(1, 3, [1, 2, 3])
    v.view[0, ::-1][:] = v
    assert list(v.values()) == [3.0, 2.0, 1.0]


def test_take_and_put() -> None:
    m = sample()
    assert rows_of(m.take([1, 0])) == [[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]
    assert rows_of(m.take((2, -1), 1)) == [[3.0, 3.0], [6.0, 6.0]]
    assert rows_of(m.take(range(2), axis=-2)) == rows_of(m)
    out = Matrix(1, 3)
    assert m.take([1], out=out) is out
    assert rows_of(out) == [[4.0, 5.0, 6.0]]
    assert m.put([0, 0], 1, accumulate=True) is None
    assert rows_of(m) == [[3.0, 4.0, 5.0], [4.0, 5.0, 6.0]]
    m.put([2], Matrix(2, 1, [7, 8]), 1)
    assert rows_of(m) == [[3.0, 4.0, 7.0], [4.0, 5.0, 8.0]]
    m.put([0, 1], m, accumulate=True)
    assert rows_of(m) == [[6.0, 8.0, 14.0], [8.0, 10.0, 16.0]]


def test_along_an_axis() -> None:
    m = sample()
    assert rows_of(m.take_along_axis([1, 0, 1])) == [[4.0, 2.0, 6.0]]
    assert rows_of(m.take_along_axis(m.argmax(1), 1)) == [[3.0], [6.0]]
    m.put_along_axis([1, 0, 1], 9)
    assert rows_of(m) == [[1.0, 9.0, 3.0], [9.0, 5.0, 9.0]]
    m.put_along_axis([1, 0], Matrix(2, 1, [7, 8]), 1, True)
    assert rows_of(m) == [[1.0, 16.0, 3.0], [17.0, 5.0, 9.0]]
    with pytest.raises(ValueError, match="take_along_axis on axis 0 expects 3 indices"):
        m.take_along_axis([1, 0])


def test_indices_that_are_none() -> None:
    m = sample()
    for wrong, error in (
        ([], IndexError),
        ([2], IndexError),
        ([-3], IndexError),
        ([0.0], TypeError),
        (0, TypeError),
        ("ab", TypeError),
    ):
        for use in (m.take, lambda i: m.put(i, 9), lambda i: m[i] if isinstance(i, list) else m.take(i)):
            with pytest.raises(error):
                use(wrong)  # type: ignore[arg-type]
    for axis, error in ((2, KeyError), (-3, KeyError), (None, TypeError), (0.0, TypeError), (2**70, OverflowError)):
        for call in (
            lambda a: m.take([0], a),
            lambda a: m.put([0], 1, a),
            lambda a: m.take_along_axis([0, 0, 0], a),
            lambda a: m.put_along_axis([0, 0, 0], 1, a),
        ):
            with pytest.raises(error):
                call(axis)
    for value in ("x", [1, 2, 3], None):
        with pytest.raises(TypeError, match="value must be a Matrix or a real number"):
            m.put([0], value)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot assign 1x3 matrix to a selection of shape 2x3"):
        m.put([0, 1], Matrix(1, 3))
    with pytest.raises(ValueError, match="alias"):
        m.take([1, 0], out=m)
    with pytest.raises(IndexError):
        m.put([0, 5], 9)
    for repeats in (0, -1):
        with pytest.raises(ValueError, match="positive"):
            m.repeat_interleave(repeats)
    with pytest.raises((OverflowError, MemoryError)):
        m.repeat_interleave(2**62)
    assert same(m, rows_of(sample()))


# Views ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda m: m.row_view(0), [[1, 2, 3]]),
        (lambda m: m.row_view(-1), [[4, 5, 6]]),
        (lambda m: m.row_view(0, slice(1, 3)), [[2, 3]]),
        (lambda m: m.row_view(0, slice(None, None, -1)), [[3, 2, 1]]),
        (lambda m: m.row_view(0, 1), [[2]]),
        (lambda m: m.column_view(1), [[2], [5]]),
        (lambda m: m.column_view(1, slice(0, 1)), [[2]]),
        (lambda m: m.column_view(column=-1, rows=None), [[3], [6]]),
        (lambda m: m.view[0], [[1, 2, 3]]),
        (lambda m: m.view[0, 0:2], [[1, 2]]),
        (lambda m: m.view[0:2, 1], [[2], [5]]),
        (lambda m: m.view[:, 1], [[2], [5]]),
        (lambda m: m.view[0, 1], [[2]]),
        (lambda m: m.view[0].T, [[1], [2], [3]]),
        (lambda m: m.view[0][::2], [[1, 3]]),
        (lambda m: m.view[:, 0][::-1], [[4], [1]]),
        (lambda m: list(m.row_views())[1], [[4, 5, 6]]),
        (lambda m: list(m.column_views(read_only=True))[2], [[3], [6]]),
    ],
)
def test_views(make: Any, expected: list[list[float]]) -> None:
    m = sample()
    view = make(m)
    assert type(view) is MatrixView
    assert view.copy() == matrix(expected)
    assert view.shape == (view.rows, view.columns) == (len(expected), len(expected[0]))
    flat = [x for row in expected for x in row]
    assert (view.size, len(view), list(view), list(view.values())) == (len(flat), len(flat), flat, flat)
    if not view.read_only:
        view[:] = range(-len(flat), 0) if False else [float(-i - 1) for i in range(len(flat))]
        assert sorted(x for x in m.values() if x < 0) == sorted(float(-i - 1) for i in range(len(flat)))
        m += 100
        assert view.x == 99.0


def test_view_items() -> None:
    m = sample()
    view = m.view[0]
    assert (view[0], view[-1], view.is_row, view.T.is_row) == (1.0, 3.0, True, False)
    view[1] = 7
    view.x = 8
    view[1:] = 9
    assert rows_of(m) == [[8.0, 9.0, 9.0], [4.0, 5.0, 6.0]]
    view[:] = Matrix(3, 1, [1, 2, 3])
    view[0:2] = m.view[1, 0:2]
    assert rows_of(m) == [[4.0, 5.0, 3.0], [4.0, 5.0, 6.0]]
    for key, error in (
        (5, IndexError),
        (slice(0, 0), IndexError),
        ((0, 1), TypeError),
        ("x", TypeError),
        ([0], TypeError),
    ):
        with pytest.raises(error):
            view[key]
        with pytest.raises(error):
            view[key] = 1
    for value, error in (([1, 2], ValueError), (sample(), ValueError), ("x", TypeError), (None, TypeError)):
        with pytest.raises(error):
            view[:] = value
    with pytest.raises(IndexError, match="'w'"):
        _ = view.w
    assert rows_of(m) == [[4.0, 5.0, 3.0], [4.0, 5.0, 6.0]]


def test_read_only_views() -> None:
    m = sample()
    views = [m.row_view(0, read_only=True), m.column_view(0, read_only=True), *m.row_views(read_only=True)]
    for view in [*views, views[0].T, views[0][:2]]:
        assert view.read_only
        with pytest.raises(TypeError, match="read-only"):
            view[0] = 1
        with pytest.raises(TypeError, match="read-only"):
            view.x = 1
    m.x = 50
    assert views[0].x == 50.0


def test_views_that_are_none() -> None:
    m: Any = sample()
    for make, error in (
        (lambda: m.row_view(2), IndexError),
        (lambda: m.column_view(3), IndexError),
        (lambda: m.row_view(1.0), TypeError),
        (lambda: m.row_view([0]), TypeError),
        (lambda: m.row_view(0, [0]), TypeError),
        (lambda: m.row_view(0, slice(0, 0)), IndexError),
        (lambda: m.view[5], IndexError),
        (lambda: m.view[0:2, 0:2], TypeError),
        (lambda: m.view[[0]], TypeError),
        (lambda: m.view["x"], TypeError),
        (lambda: m.row_views(True), TypeError),
        (lambda: type(m.view)(), TypeError),
        (lambda: type(m.values())(), TypeError),
    ):
        with pytest.raises(error):
            make()


def test_arithmetic_of_views_makes_matrices() -> None:
    m = sample()
    row, column = m.view[0], m.view[:, 0]
    assert rows_of(row + 1) == [[2.0, 3.0, 4.0]]
    assert rows_of(1 - row) == [[0.0, -1.0, -2.0]]
    assert rows_of(m + row) == [[2.0, 4.0, 6.0], [5.0, 7.0, 9.0]]
    assert rows_of(column * m) == [[1.0, 2.0, 3.0], [16.0, 20.0, 24.0]]
    assert rows_of(row / [1, 2, 3]) == [[1.0, 1.0, 1.0]]
    assert rows_of(-row) == [[-1.0, -2.0, -3.0]]
    assert rows_of(abs(-1 * row)) == [[1.0, 2.0, 3.0]]
    view = row
    view += 1  # type: ignore[assignment]
    assert (type(view), m.x) == (Matrix, 1.0)
    m += m.view[0]
    assert rows_of(m) == [[2.0, 4.0, 6.0], [5.0, 7.0, 9.0]]


def test_a_view_is_itself_only() -> None:
    m = sample()
    view = m.view[0]
    assert view == view
    assert view != m.view[0]
    assert view != m[0]
    assert len({view, m.view[0], view}) == 2
    with pytest.raises(TypeError):
        _ = view < view  # type: ignore[operator]


def test_a_view_keeps_its_matrix() -> None:
    view = Matrix(50, 50, 2).view[:, 7]
    iterator = Matrix(50, 50, 3).column_views()
    indexer = Matrix(2, 2, 4).view
    values = Matrix(1, 50, 5).values()
    gc.collect()
    _ = [Matrix(50, 50, 9) for _ in range(20)]
    assert set(view) == {2.0}
    assert set(next(iterator)) == {3.0}
    assert set(indexer[0]) == {4.0}
    assert set(values) == {5.0}
