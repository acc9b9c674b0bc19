"""tests.kernels.test_elementwise: sums, products, copies and dropout against NumPy, over layouts, broadcasting and threads."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.kernels import choice, columns, convert, elementwise, strided

RNG = np.random.default_rng(0)
UFUNCS = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
SHAPES = [
    ((), ()),
    ((0, 3), (3,)),
    ((7,), (1,)),
    ((3, 1), (1, 5)),
    ((2, 3, 4, 5), (2, 3, 4, 5)),
    ((2, 3, 4, 5), (3, 1, 1)),
    ((2, 33, 40, 40), (2, 33, 40, 40)),
    ((2, 3, 1, 5), (2, 1, 4, 5)),
]


def draw(shape, dtype, last):
    """Positive values; images in channels-last memory when `last`."""
    x = RNG.uniform(0.5, 2, shape).astype(dtype)
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if last and x.ndim == 4 else x


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", UFUNCS)
def test_equals_numpy(name, shapes, dtype, last, threads):
    a, b = (draw(shape, dtype, last) for shape in shapes)
    for x, y in ((a, b), (b, a), (a, dtype(3)), (dtype(3), a), (a[..., ::-1] if a.ndim else a, b)):
        got, want = getattr(elementwise, name)(x, y, threads=threads), UFUNCS[name](x, y)
        np.testing.assert_array_equal(got, want)
        assert got.dtype == want.dtype and got.shape == want.shape
        if x is a and y is b and a.shape == b.shape:
            assert got.strides == np.asarray(want).strides


def test_shapes_of_results_are_those_of_numpy():
    shapes = [shape for rank in range(4) for shape in itertools.product((0, 1, 2, 3)[: 5 - rank], repeat=rank)]
    for left, right in itertools.product(shapes, shapes):
        a, b = np.zeros(left), np.zeros(right)
        for function in (
            elementwise.add,
            lambda a, b: convert.compare("lt", a, b),
            lambda a, b: choice.where(np.ones(a.shape, bool), a, b),
        ):
            try:
                want = np.broadcast_shapes(left, right)
            except ValueError:
                with pytest.raises(ValueError, match="do not broadcast"):
                    function(a, b)
            else:
                assert function(a, b).shape == want


def test_in_place():
    x, y = draw((3, 4, 5, 6), np.float32, True), draw((3, 4, 5, 6), np.float32, False)
    want = x + y
    elementwise.add_to(x, y, threads=2)
    np.testing.assert_array_equal(x, want)
    with pytest.raises(ShapeError, match=r"^add_to: x must be like total"):
        elementwise.add_to(x, y[:1])
    x.flags.writeable = False
    with pytest.raises(ArgumentError, match=r"^add_to: total is read-only"):
        elementwise.add_to(x, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int16, np.uint8])
def test_copies(dtype):
    x = RNG.integers(0, 100, (3, 4, 50, 60)).astype(dtype)
    views = [
        x,
        x.transpose(0, 3, 1, 2),
        x[:, ::-1, ::3],
        x[1],
        x[:, 0, 0, 0],
        x[:0],
        np.broadcast_to(x[:, :1], x.shape),
        x[0, 0, 0, 0:1],
    ]
    for view in views:
        for function in (strided.copy, strided.contiguous):
            got = function(view, threads=2)
            np.testing.assert_array_equal(got, view)
            assert got.dtype == view.dtype
        assert strided.contiguous(view).flags.c_contiguous
        assert not np.shares_memory(strided.copy(view), x)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64])
def test_integers(dtype):
    x = np.array([0, 1, 5, np.iinfo(dtype).max], dtype)
    for view in (x, x[::-2]):
        got = strided.integers(view)
        assert got.dtype == np.int64 and (got == view).all()


@pytest.mark.parametrize("shape", [(0,), (1,), (100_001,), (3, 5, 7, 11)])
def test_total(shape):
    x = draw(shape, np.float32, True)
    results = [columns.total(x, 4.0, threads=threads) for threads in (1, 2, 3)]
    assert results[0] == results[1] == results[2] and results[0].shape == ()
    np.testing.assert_allclose(results[0], x.astype(np.float64).sum() / 4, rtol=1e-6)


def test_dropout():
    x, uniform = draw((2, 3, 4, 5), np.float32, True), RNG.random((2, 4, 5, 3), np.float32)
    kept = elementwise.dropout_mask(uniform, 0.4).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(kept, uniform.transpose(0, 3, 1, 2) >= np.float32(0.4))
    for image in (x, np.ascontiguousarray(x)):
        np.testing.assert_array_equal(elementwise.dropout(image, kept, 2.5), x * kept * np.float32(2.5))
    with pytest.raises(DtypeError, match=r"^dropout: draw must be float32"):
        elementwise.dropout_mask(uniform.astype(np.float64), 0.4)
    with pytest.raises(ShapeError, match=r"^dropout: kept must be bool"):
        elementwise.dropout(x, kept[:1], 2.5)


def test_running_average():
    running, statistic = draw((9,), np.float32, False), draw((9,), np.float32, False)
    want = running + np.float32(0.1) * (statistic * np.float32(1.5) - running)
    elementwise.running_average(running, statistic, 0.1, 1.5)
    np.testing.assert_allclose(running, want, rtol=3e-7)
    counter = np.array(3, np.int64)
    elementwise.count_up(counter)
    elementwise.running_average(running, statistic, 0.0, 1.0, counter)
    assert counter == 4
    np.testing.assert_allclose(running, want + (statistic - want) / 4, rtol=3e-7)


def test_full():
    assert (elementwise.full((3, 4), 1.5, np.float64) == 1.5).all() and elementwise.full((), 1, np.float32).dtype == np.float32


@pytest.mark.parametrize("axes", [(), (0,), (1,), (3,), (0, 2, 3), (1, 2), (0, 1, 2, 3)], ids=str)
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_over_axes(dtype, last, axes):
    x = draw((3, 5, 4, 7), dtype, last)
    for a in (x, x[:, ::-1], x[:, :0], x[:0]):
        got, want = columns.over(a, axes, 4.0, threads=2), a.sum(axis=axes, dtype=np.float64) / 4
        assert got.dtype == dtype and got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=2 * np.finfo(dtype).eps)
    with pytest.raises(DtypeError, match=r"^over: x must be float32 or float64, got int64"):
        columns.over(np.arange(3), (0,))


def test_copies_into_and_values_everywhere():
    x, y = draw((2, 3, 4, 5), np.float32, True), draw((3, 1, 1), np.float32, False)
    np.testing.assert_array_equal(strided.expand(y, x.shape, threads=2), np.broadcast_to(y, x.shape))
    strided.copy_to(x[:, :, 1], y[:, 0])
    np.testing.assert_array_equal(x[:, :, 1], np.broadcast_to(y[:, 0], (2, 3, 5)))
    ones = elementwise.full_like(x, 1.0)
    assert (ones == 1).all() and ones.strides == x.strides
    with pytest.raises(ShapeError, match=r"^copy_to: x must broadcast to out, got float32 \(2, 3, 4, 5\)"):
        strided.copy_to(y, x)
    y.flags.writeable = False
    with pytest.raises(ArgumentError, match=r"^copy_to: out is read-only"):
        strided.copy_to(y, y.copy())
