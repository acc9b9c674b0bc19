"""tests.kernels.test_values: conversions, comparisons, sums of integers, largest values and slices at positions against NumPy."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.kernels import convert, elementwise, largest, take

RNG = np.random.default_rng(0)
DTYPES = "?bBhHiIlLfd"
X = RNG.integers(0, 7, (4, 3, 5, 6))
LAYOUTS = {
    "c": lambda x: x,
    "last": lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
    "holes": lambda x: x[:, ::2, :, ::-1],
}
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@every_layout
@pytest.mark.parametrize("to", "?lfd")
@pytest.mark.parametrize("kind", DTYPES)
def test_cast(kind, to, layout):
    x = layout(X.astype(kind))
    got = convert.cast(x, to, threads=2)
    assert got.dtype == np.dtype(to) and np.array_equal(got, x.astype(to))


@every_layout
@pytest.mark.parametrize("op", ["eq", "ne", "lt", "le", "gt", "ge"])
@pytest.mark.parametrize("kind", "?Blfd")
def test_compare(kind, op, layout):
    x = layout(X.astype(kind))
    for y in (layout(X[::-1].astype(kind)), x[:1, :, :1], x.dtype.type(3)):
        got = convert.compare(op, x, y, threads=2)
        assert got.dtype == bool and np.array_equal(got, getattr(operator, op)(x, y))
    nan = np.array([np.nan, 1.0])
    assert convert.compare("ne", nan, nan).tolist() == [True, False]


@every_layout
def test_total_of_integers(layout):
    for kind in "?bil":
        x = layout(X.astype(kind))
        for axes in ((0, 1, 2, 3), (1,), (0, 2, 3), (3,), ()):
            assert np.array_equal(convert.total(x, axes), x.sum(axis=axes, dtype=np.int64))


@every_layout
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_largest(dtype, layout):
    x = layout(X.astype(dtype))  # equal values
    for special in (False, True):
        if special:
            x = x.copy(order="K")
            x[1, 0, 2, 3:5] = x[2, 0, 1, 0] = np.nan
        assert np.array_equal(largest.max_all(x, threads=2)[0], x.max(), equal_nan=True)
        for axis in range(4):
            for threads in (1, 2):
                values, index = largest.max_forward(x, axis, threads=threads)
                assert np.array_equal(values, x.max(axis), equal_nan=True) and np.array_equal(index, x.argmax(axis))
            dy, want = RNG.standard_normal(values.shape).astype(dtype), np.zeros(x.shape, dtype)
            np.put_along_axis(want, np.expand_dims(index, axis), np.expand_dims(dy, axis), axis)
            assert np.array_equal(largest.max_backward(dy, index, x, axis, threads=2), want)


def test_the_largest_share():
    x = np.array([[1.0, 5.0], [5.0, 2.0]])
    assert largest.max_all_backward(np.array(3.0), x, np.array(5.0)).tolist() == [[0, 1.5], [1.5, 0]]
    x[0, 0] = np.nan
    assert largest.max_all_backward(np.array(3.0), x, np.array(np.nan)).tolist() == [[3, 0], [0, 0]]


@every_layout
@pytest.mark.parametrize("kind", "Blfd")
def test_take(kind, layout):
    x = layout(X.astype(kind))
    for index in ([np.array([2, 0, -1, 2])], [np.array([3, -4]), np.array([0, 1])], [np.array([], int)]):
        got = take.take(x, tuple(index), threads=2)
        assert np.array_equal(got, x[tuple(index)])
        if kind in "fd":
            dy, want = RNG.standard_normal(got.shape).astype(kind), np.zeros(x.shape, kind)
            np.add.at(want, tuple(index), dy)
            assert np.array_equal(take.take_backward(dy, tuple(index), x, threads=2), want)


def test_bad_positions():
    x = X.astype(np.float32)
    for position in (4, -5):
        with pytest.raises(IndexError, match=rf"^index {position} is out of bounds for axis 0 with size 4"):
            take.take(x, (np.array([0, position]),))
        with pytest.raises(IndexError, match=rf"^index {position} is out of bounds for axis 0 with size 4"):
            take.take_backward(np.ones((2, 3, 5, 6), np.float32), (np.array([0, position]),), x)
    with pytest.raises(ShapeError, match=r"^take: index must be contiguous int64 \(2,\), got int32 \(2,\)"):
        take.take(x, (np.array([0, 1], np.int32),))
    with pytest.raises(ShapeError, match=r"^getitem: dy must have shape \(n, \*\(3, 5, 6\)\)"):
        take.take_backward(np.ones((2, 3), np.float32), (np.array([0, 1]),), x)


def test_bad_arguments():
    with pytest.raises(ShapeError, match=r"^max: x must have elements along axis 1, got x.shape=\(2, 0\)"):
        largest.max_forward(np.ones((2, 0)), 1)
    with pytest.raises(ShapeError, match=r"^max: x has no elements"):
        largest.max_all(np.ones((2, 0)))
    with pytest.raises(ShapeError, match=r"^max: dy and index must have shape \(2,\)"):
        largest.max_backward(np.ones(3), np.zeros(3, int), np.ones((2, 4)), 1)
    with pytest.raises(DtypeError, match=r"^max: x must be a float32 or float64 array"):
        largest.max_forward(np.ones(3, int), 0)


def test_changes_in_place():
    functions = {"add": operator.iadd, "sub": operator.isub, "mul": operator.imul, "div": operator.itruediv}
    for name, function in functions.items():
        for other in (X.astype(np.float32) + 1, np.float32(3), np.full((5, 1), 2, np.float32)):
            got, want = X.astype(np.float32) + 1, X.astype(np.float32) + 1
            elementwise.change(name, got, other, threads=2)
            assert np.array_equal(got, function(want, other))
    x = np.arange(4, dtype=np.float32)
    elementwise.change("add", x, x[::-1])  # what overlaps is left to NumPy
    assert x.tolist() == [3, 3, 3, 3]
    elementwise.change("add", x, x)
    assert x.tolist() == [6, 6, 6, 6]
    x.flags.writeable = False
    with pytest.raises(ArgumentError, match=r"^mul: the tensor is read-only \(shape \(4,\)\)"):
        elementwise.change("mul", x, 2.0)
