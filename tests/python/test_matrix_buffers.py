"""Matrices and the buffer protocol."""

from __future__ import annotations

import array
import math
from typing import Any

import pytest
from bocpy import Matrix, backend
from matrix_reference import rows_of


def sample() -> Matrix:
    return Matrix(2, 3, [1, 2, 3, 4, 5, 6])


def test_a_memoryview_shares_the_memory() -> None:
    m = sample()
    memory = memoryview(m)
    assert (memory.format, memory.shape, memory.strides, memory.readonly) == ("d", (2, 3), (24, 8), False)
    assert memory.tolist() == rows_of(m)
    memory[1, 2] = -1.0
    assert m[1, 2] == -1.0
    m.x = 7
    assert memory[0, 0] == 7.0
    assert bytes(memory.cast("B")) == m.__reduce__()[1][2]
    del m
    assert memory[0, 0] == 7.0


def test_no_transposing_under_a_buffer() -> None:
    m = sample()
    with memoryview(m), pytest.raises(BufferError, match="transposed in place"):
        m.transpose(in_place=True)
    assert m.transpose(in_place=True).shape == (3, 2)
    assert memoryview(m).shape == (3, 2)


@pytest.mark.parametrize("code", "bBhHiIlLqQfd")
def test_from_arrays(code: str) -> None:
    assert rows_of(Matrix.from_buffer(array.array(code, [1, 2, 100]))) == [[1.0, 2.0, 100.0]]


def test_from_buffer_copies() -> None:
    numbers = array.array("d", [1.0, math.nan])
    m = Matrix.from_buffer(numbers)
    numbers[0] = 5.0
    numbers.append(1.0)  # nothing is exported any longer
    assert m.x == 1.0
    assert rows_of(Matrix.from_buffer(sample())) == rows_of(sample())
    assert rows_of(Matrix.from_buffer(b"\x01\xff")) == [[1.0, 255.0]]
    strided = memoryview(array.array("d", range(10)))[::-3]
    assert rows_of(Matrix.from_buffer(strided)) == [[9.0, 6.0, 3.0, 0.0]]
    flags = memoryview(b"\x01\x00").cast("?")
    assert rows_of(Matrix.from_buffer(flags)) == [[1.0, 0.0]]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (b"", ValueError),
        (memoryview(bytes(8)).cast("B", (2, 2, 2)), ValueError),
        (memoryview(b"ab").cast("c"), ValueError),
        (memoryview(bytes(8)).cast("d", ()), ValueError),
        ([1, 2], TypeError),
        (5, TypeError),
        (None, TypeError),
    ],
)
def test_from_buffer_refuses(given: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Matrix.from_buffer(given)


def test_numpy() -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    m = sample()
    shared = numpy.asarray(m)
    assert (shared.shape, shared.dtype, shared.tolist()) == ((2, 3), numpy.float64, rows_of(m))
    shared[0, 0] = 50
    assert m.x == 50.0
    for made in (m.__array__(), m.__array__(copy=False)):
        assert numpy.shares_memory(made, shared)
    assert not numpy.shares_memory(m.__array__(copy=True), shared)
    assert m.__array__(numpy.float32).dtype == numpy.float32
    assert rows_of(Matrix.from_buffer(shared.T)) == rows_of(m.T)
    assert rows_of(Matrix.from_buffer(numpy.arange(3, dtype="int32"))) == [[0.0, 1.0, 2.0]]
    with pytest.raises(ValueError, match="this machine's order"):
        Matrix.from_buffer(numpy.arange(3, dtype=">f8" if numpy.little_endian else "<f8"))
    with pytest.raises(ValueError):
        Matrix.from_buffer(numpy.zeros((0, 3)))
    assert backend() in ("threads", "subinterp")
    assert Matrix(2, 2, numpy.arange(4)) == Matrix(2, 2, range(4))
    assert (m + numpy.float64(1)).x == 51.0
