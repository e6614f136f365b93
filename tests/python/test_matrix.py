"""Making matrices, their properties, comparing, printing, copying and pickling them; what is refused and how."""

from __future__ import annotations

import copy
import math
import pickle
import sys
from typing import Any

import pytest
from bocpy import Matrix, MatrixView
from matrix_reference import bits, matrix, rows_of, same


class Number:
    def __float__(self) -> float:
        return 2.5


class Index:
    def __index__(self) -> int:
        return 2


def sample() -> Matrix:
    return Matrix(2, 3, [1, 2, 3, 4, 5, 6])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), [0.0] * 4),
        ((None,), [0.0] * 4),
        ((3,), [3.0] * 4),
        ((-0.5,), [-0.5] * 4),
        ((True,), [1.0] * 4),
        ((Number(),), [2.5] * 4),
        ((Index(),), [2.0] * 4),
        (([1, 2.5, True, Number()],), [1.0, 2.5, 1.0, 2.5]),
        (((1, 2, 3, 4),), [1.0, 2.0, 3.0, 4.0]),
        ((range(4),), [0.0, 1.0, 2.0, 3.0]),
    ],
)
def test_constructor(values: tuple[Any, ...], expected: list[float]) -> None:
    assert same(list(Matrix(2, 2, *values).values()), expected)


def test_constructor_by_name() -> None:
    assert rows_of(Matrix(columns=2, rows=1, values=[1, 2])) == [[1.0, 2.0]]
    assert Matrix(Index(), True).shape == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((0, 1), ValueError, "at least one row"),
        ((2, -1), ValueError, "at least one row"),
        ((2, 2, [1, 2, 3]), TypeError, "2 x 2 numbers, not of 3"),
        ((2, 2, []), TypeError, "2 x 2 numbers"),
        ((2, 2, [[1, 2], [3, 4]]), TypeError, "2 x 2 numbers"),
        ((2, 1, ["a", "b"]), TypeError, "item 0 is str"),
        ((2, 2, "abcd"), TypeError, "not str"),
        ((2, 2, iter([1, 2, 3, 4])), TypeError, "iterator"),
        ((2, 2, {1, 2, 3, 4}), TypeError, "not set"),
        ((2, 2, Matrix(2, 2)), TypeError, "Matrix"),
        ((1, 2, [10**400, 1]), OverflowError, "too large"),
        ((2.0, 2), TypeError, "float"),
        (("2", 2), TypeError, "str"),
        ((2,), TypeError, "columns"),
        ((), TypeError, "rows"),
        ((1, 1, 1, 1), TypeError, "at most 3"),
        ((2**40, 2**40), OverflowError, "too large"),
        ((2**70, 2), OverflowError, "index-sized"),
        ((2**30, 2**28), MemoryError, ".*"),
    ],
)
def test_constructor_refuses(arguments: tuple[Any, ...], error: type[Exception], text: str) -> None:
    if error is MemoryError and sys.maxsize < 2**62:
        pytest.skip("not with these addresses")
    with pytest.raises(error, match=text):
        Matrix(*arguments)


def test_the_type() -> None:
    m = sample()
    with pytest.raises(TypeError):
        type("Sub", (Matrix,), {})
    with pytest.raises(TypeError):
        hash(m)
    with pytest.raises(AttributeError):
        m.extra = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        Matrix.zeros = None  # type: ignore[assignment, method-assign]
    with pytest.raises(TypeError, match="rows"):
        Matrix.__new__(Matrix)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'shape'"):
        Matrix(1, 1, shape=2)  # type: ignore[call-arg]
    assert (Matrix.__module__, Matrix.__qualname__) == ("bocpy", "Matrix")
    assert sys.getsizeof(Matrix(100, 100)) > 80_000


def test_properties() -> None:
    m = sample()
    assert (m.rows, m.columns, m.shape, m.size, len(m), m.acquired) == (2, 3, (2, 3), 6, 2, True)
    assert m.length == math.sqrt(91)
    assert (m.x, m.y, m.z, m.w) == (1.0, 2.0, 3.0, 4.0)
    m.x, m.w = 9, -1.5
    assert rows_of(m) == [[9.0, 2.0, 3.0], [-1.5, 5.0, 6.0]]
    short = Matrix(1, 2)
    with pytest.raises(IndexError, match="'z'"):
        _ = short.z
    with pytest.raises(IndexError, match="'w'"):
        short.w = 1
    with pytest.raises(TypeError):
        short.x = "1"  # type: ignore[assignment]
    with pytest.raises(TypeError):
        del short.x
    for name in ("rows", "columns", "shape", "size", "length", "T", "acquired", "view"):
        with pytest.raises(AttributeError):
            setattr(m, name, 1)


def test_factories() -> None:
    assert rows_of(Matrix.zeros((1, 2))) == [[0.0, 0.0]]
    assert rows_of(Matrix.ones((2, 1))) == [[1.0], [1.0]]
    assert rows_of(Matrix.full((1, 2), 7)) == [[7.0, 7.0]]
    assert rows_of(Matrix.vector([1, 2])) == [[1.0, 2.0]]
    assert rows_of(Matrix.vector((1, 2), True)) == [[1.0], [2.0]]
    assert rows_of(Matrix.vector([1, 2], as_column=True)) == [[1.0], [2.0]]
    assert rows_of(Matrix.vector(sample().view[:, 0])) == [[1.0, 4.0]]
    assert rows_of(Matrix.from_view(sample().view[:, 1])) == [[2.0], [5.0]]
    assert Matrix.concat([]) is None
    assert Matrix.concat((sample(), sample()), -1).shape == (2, 6)
    for size in ([2, 2], 2, (2,), (1, 2, 3), "ab", (2.0, 2)):
        for make in (Matrix.zeros, Matrix.ones, lambda s: Matrix.full(s, 1), lambda s: Matrix.uniform(size=s)):
            with pytest.raises(TypeError):
                make(size)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        Matrix.zeros((0, 2))
    with pytest.raises(ValueError, match="empty"):
        Matrix.vector([])
    for wrong in (5, "ab", sample(), None):
        with pytest.raises(TypeError):
            Matrix.vector(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="columns: 3 and 1"):
        Matrix.concat([sample(), Matrix(3, 1)])
    with pytest.raises(ValueError, match="rows"):
        Matrix.concat([sample(), Matrix(3, 1)], 1)
    with pytest.raises(KeyError):
        Matrix.concat([sample()], 2)
    with pytest.raises(TypeError):
        Matrix.concat([sample(), 1.0])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        Matrix.concat(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="MatrixView"):
        Matrix.from_view(sample())  # type: ignore[arg-type]


def test_random() -> None:
    """The stream is splitmix64's: its first numbers are known."""
    Matrix.seed(0)
    assert Matrix.uniform() == (0xE220A8397B1DCDAF >> 11) * 2**-53
    Matrix.seed(1)
    first = [Matrix.uniform(), Matrix.uniform(), Matrix.normal(), Matrix.normal(), Matrix.uniform()]
    assert first == [0.5665615751722809, 0.7457817572627011, 0.4564552075888475, -0.3268385200683801, 0.877348686764173]
    Matrix.seed(2**64 + 1)
    assert list(Matrix.uniform(size=(1, 2)).values()) == first[:2]
    Matrix.seed(1)
    assert Matrix.uniform(2, 5) == 2 + 3 * first[0]
    Matrix.seed(-1)
    a = Matrix.normal(5, 2, (30, 31))
    Matrix.seed(2**64 - 1)
    assert a == Matrix.normal(5, 2, size=(30, 31))
    assert abs(a.mean() - 5) < 0.5
    assert abs((a - a.mean()).magnitude() / math.sqrt(a.size) - 2) < 0.3
    u = Matrix.uniform(-3, 4, size=(50, 50))
    assert u.min() >= -3
    assert u.max() < 4
    for wrong in (1.5, None, "1"):
        with pytest.raises(TypeError):
            Matrix.seed(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Matrix.normal("0")  # type: ignore[call-overload]


def test_text() -> None:
    m = Matrix(2, 2, [1e300, math.nan, -math.inf, -0.5])
    assert repr(m) == "Matrix(2, 2, [1e+300, nan, -inf, -0.5])"
    assert str(m) == "[[1e+300 nan]\n [-inf -0.5]]"
    assert repr(Matrix(1, 2, [0.1, 123456.789])) == "Matrix(1, 2, [0.1, 123457])"
    assert repr(sample().view[0]) == "MatrixView([[1 2 3]])"
    assert str(sample().view[:, 0]) == "MatrixView([[1]\n  [4]])"


NAN = math.nan


@pytest.mark.parametrize(
    ("a", "b", "order"),
    [
        ([[1, 2]], [[1, 2]], 0),
        ([[1, 2]], [[1, 3]], -1),
        ([[2, 2]], [[1, 3]], 1),
        ([[NAN, 1]], [[5, 2]], -1),
        ([[NAN]], [[NAN]], 0),
        ([[1], [2]], [[1], [1]], 1),
        ([[0.0]], [[-0.0]], 0),
        ([[1, 2]], [1, 3], -1),
        ([[1, 2]], (1, 2), 0),
        ([[4, 4]], 4, 0),
        ([[4, 5]], 4.5, -1),
    ],
)
def test_comparing(a: Any, b: Any, order: int) -> None:
    x, y = matrix(a), matrix(b) if isinstance(b, list) and isinstance(b[0], list) else b
    assert [x < y, x <= y, x == y, x != y, x >= y, x > y] == [
        order < 0, order <= 0, order == 0, order != 0, order >= 0, order > 0
    ]  # fmt: skip


def test_comparing_what_does_not_go_together() -> None:
    m = sample()
    for other in (Matrix(3, 2), [1, 2], [], ["a"], "x", None, object(), m.view[0], [10**400]):
        assert (m == other, m != other) == (False, True)
    for other in (Matrix(3, 2), [1, 2]):
        with pytest.raises(ValueError, match="same shape"):
            _ = m < other
    for other in ("x", None, m.view[0], object()):
        with pytest.raises(TypeError):
            _ = m < other
    assert 3 not in m
    assert m[0] in m


def test_allclose() -> None:
    def close(a: float, b: float, **options: Any) -> bool:
        return Matrix.allclose(Matrix(2, 2, a), Matrix(2, 2, b), **options)

    assert close(1, 1 + 1e-6)
    assert not close(1, 1 + 1e-4)
    assert close(1, 1.1, rtol=0.2)
    assert close(0, 1e-9)
    assert not close(0, 1e-9, atol=0)
    assert close(math.inf, math.inf)
    assert not close(math.inf, -math.inf)
    assert not close(math.inf, 1e308)
    assert not close(NAN, NAN)
    assert close(NAN, NAN, equal_nan=True)
    assert not Matrix.allclose(Matrix(1, 2), Matrix(2, 1))
    with pytest.raises(TypeError, match="rhs"):
        Matrix.allclose(Matrix(1, 1), 1.0)  # type: ignore[arg-type]


AXIS_METHODS = ["sum", "mean", "min", "max", "magnitude", "magnitude_squared", "argmin", "argmax", "normalize", "angle"]


@pytest.mark.parametrize("name", AXIS_METHODS)
def test_axes_that_are_none(name: str) -> None:
    method = getattr(Matrix(2, 2, 1), name)
    for wrong in (True, False, 1.0, "x"):
        with pytest.raises(TypeError, match="axis must be an int or None"):
            method(axis=wrong)
    for wrong in (2, -3, 1000):
        with pytest.raises(ValueError, match="axis must be -2, -1, 0, or 1"):
            method(axis=wrong)
    for wrong in (2**40, 2**70, -(2**70)):
        with pytest.raises(OverflowError, match="out of int range"):
            method(axis=wrong)


def test_masks_and_targets_that_do_not_fit() -> None:
    m, row = sample(), Matrix(1, 3)
    for method in (m.sum, m.mean, m.argmax, lambda **k: m.topk(1, **k)):
        with pytest.raises(ValueError, match="where mask shape 1x3 does not match matrix shape 2x3"):
            method(where=row)
        with pytest.raises(TypeError, match="where must be a Matrix mask"):
            method(where=[1, 2, 3])  # type: ignore[call-overload]
    for call in (m.negate, m.round, lambda **k: m.add(1, **k), lambda **k: m.bin(2, **k), lambda **k: m.clip(1, **k)):
        with pytest.raises(ValueError, match="out shape 1x3 does not match result 2x3"):
            call(out=row)
        with pytest.raises(TypeError, match="out must be a Matrix"):
            call(out=5)
    with pytest.raises(ValueError, match="exclusive"):
        m.negate(in_place=True, out=row)
    with pytest.raises(TypeError, match="positional"):
        m.negate(True)  # type: ignore[misc]
    for wrong in ("x", None, object(), {}):
        with pytest.raises(TypeError):
            m.add(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            _ = m + wrong  # type: ignore[operator]
    with pytest.raises(TypeError, match="missing its argument"):
        m.add()  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="fma: c shape 3x1 incompatible with self 2x3"):
        m.fma(1, Matrix(3, 1))
    with pytest.raises(TypeError, match="fma: b must be"):
        m.fma([1, 2, 3], 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scaled_add: x shape 1x3 does not match self 2x3"):
        m.scaled_add(2, row)
    with pytest.raises(ValueError, match="mask shape"):
        Matrix.where(m, row, 0)
    with pytest.raises(TypeError, match="mask"):
        Matrix.where([1], 1, 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="k must be a positive"):
        m.topk(0)
    for shape in ((4, 4), (1, 4)):
        with pytest.raises(ValueError, match="cross requires a 2D or 3D vector"):
            Matrix(*shape).cross(Matrix(*shape))
    with pytest.raises(ValueError, match="incompatible with rhs"):
        Matrix(1, 3).cross(Matrix(1, 2))
    for name in ("perpendicular", "angle"):
        with pytest.raises(ValueError, match=f"{name} requires a 2D vector or Nx2 or 2xN matrix"):
            getattr(Matrix(3, 3), name)()
    assert same(m, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def test_in_place_keeps_the_shape() -> None:
    one, row = Matrix(1, 1, 5), Matrix(1, 3)
    with pytest.raises(ValueError, match="in-place scalar broadcast"):
        one += row
    with pytest.raises(ValueError, match="in-place outer broadcast"):
        row += Matrix(3, 1)
    with pytest.raises(ValueError, match="in-place"):
        row += Matrix(2, 3)
    assert (one.x, row.sum()) == (5.0, 0.0)


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, Matrix.copy], ids=["copy", "deepcopy", "method"])
def test_copies(copier: Any) -> None:
    m = Matrix(1, 3, [-0.0, math.nan, 5e-324])
    made = copier(m)
    assert bits(made) == bits(m)
    made.x = 3
    assert m.x == 0


def test_deep_copies_share_what_was_shared() -> None:
    m = sample()
    a, b = copy.deepcopy([m, m])
    assert a is b
    assert a is not m


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(protocol: int) -> None:
    m = Matrix(2, 2, [-0.0, math.nan, 5e-324, -math.inf])
    for value in (m, m.T):
        assert bits(pickle.loads(pickle.dumps(value, protocol))) == bits(value)


def test_pickles_with_the_numbers_beside_them() -> None:
    m = Matrix(300, 100, range(30_000))
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(m, 5, buffer_callback=buffers.append)
    assert len(data) < 200
    assert pickle.loads(data, buffers=buffers) == m
    function, arguments = m.__reduce__()
    assert function(*arguments) == m
    with pytest.raises(ValueError, match="5 bytes are not"):
        function(2, 2, b"12345")
    with pytest.raises(ValueError):
        function(0, 2, b"")


def test_views_are_not_copied_or_pickled() -> None:
    view = sample().view[0]
    for refused in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"copy\(\)"):
            refused(view)
    with pytest.raises(TypeError):
        MatrixView()
    with pytest.raises(TypeError):
        type("Sub", (MatrixView,), {})


def test_operators_that_are_not_there() -> None:
    m: Any = sample()
    for use in (lambda: m // 2, lambda: m % 2, lambda: m**2, lambda: +m, lambda: ~m, lambda: m & 1):
        with pytest.raises(TypeError):
            use()
