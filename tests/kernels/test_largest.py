"""tests.kernels.test_largest: largest and least values, their places and gradients against NumPy; sums of integers; replays."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ShapeError
from fastcnn.kernels import convert, largest

from .test_entry import recorded

RNG = np.random.default_rng(0)
PART = 16384  # values of one part of a whole array, at least
both = pytest.mark.parametrize("least", [False, True])
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
every_size = pytest.mark.parametrize("size", [1, 3, 17, 1000, 2 * PART - 1, 2 * PART, 5 * PART + 3, 70 * PART + 1])


def draw(shape, dtype, spread=1000, nans=0.0):
    """Whole numbers, so that some are equal."""
    x = RNG.integers(-spread, spread + 1, shape).astype(dtype)
    return np.where(RNG.random(shape) < nans, dtype(np.nan), x)


@both
@every_dtype
@pytest.mark.parametrize("nans", [0.0, 0.02])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_along_an_axis(axis, nans, dtype, least):
    x = draw((7, 33, 70), dtype, 20, nans)
    values, places = (np.min, np.argmin) if least else (np.max, np.argmax)
    for view in (x, x.transpose(2, 0, 1), x[::-1, :, ::3], x[:, :1]):
        for threads in (1, 2, 3):
            y, index = largest.max_forward(view, axis, least=least, threads=threads)
            np.testing.assert_array_equal(y, values(view, axis), strict=True)
            np.testing.assert_array_equal(index, places(view, axis), strict=True)
            dx = largest.max_backward(y, index, view, axis, threads=threads)
            want = np.where(np.indices(view.shape)[axis] == np.expand_dims(index, axis), np.expand_dims(y, axis), dtype(0))
            np.testing.assert_array_equal(dx, want, strict=True)


@both
@every_dtype
@every_size
def test_of_all_values(size, dtype, least):
    values, places = (np.min, np.argmin) if least else (np.max, np.argmax)
    x, dy = draw(size, dtype), np.array(0.7, dtype)
    rare, alone = x.copy(), x.copy()
    rare[RNG.integers(0, size, 3)] = np.nan
    alone[-1] = -9999 if least else 9999
    for a in (x, rare, alone, np.zeros(size, dtype), x[::-1], x.reshape(1, -1, 1)):
        results = [largest.max_all(a, least=least, threads=threads) for threads in (1, 2, 3)]
        for y, index in results:
            assert y.shape == index.shape == () and index == places(a)
            np.testing.assert_array_equal(y, values(a))
        winners = a == y if y == y else np.isnan(a)
        for threads in (1, 2, 3):
            dx = largest.max_all_backward(dy, a, y, threads=threads)
            np.testing.assert_array_equal(dx, np.where(winners, dy / dtype(winners.sum()), dtype(0)), strict=True)


@both
def test_the_sign_of_the_first_zero_stays(least):
    x = np.zeros(3 * PART, np.float32)
    x[::2] = -0.0
    for a in (x, x[1:]):
        for threads in (1, 2):
            y, index = largest.max_all(a, least=least, threads=threads)
            assert index == 0 and np.signbit(y) == np.signbit(a[0])


@pytest.mark.parametrize("dtype", [np.bool_, np.int64, np.int16, np.uint8])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((), ()),
        ((0,), (0,)),
        ((0, 3), (0,)),
        ((3, 0), (0,)),
        ((5 * PART + 3,), (0,)),
        ((9, 70, 90), (0, 1, 2)),
        ((9, 70, 90), (0, 2)),
        ((9, 70, 90), (1,)),
        ((3, 40_000), (0,)),
        ((40_000, 3), (0,)),
        ((40, 7, 300), (0,)),
        ((1, 50_000), (0,)),
    ],
    ids=str,
)
def test_sums_of_integers(shape, axes, dtype):
    x = RNG.integers(0, 2 if dtype == np.bool_ else 200, shape).astype(dtype)
    for view in (x, np.asfortranarray(x)) if shape else (x,):
        for threads in (1, 2, 3):
            got = convert.total(view, axes, threads=threads)
            np.testing.assert_array_equal(got, view.sum(axis=axes, dtype=np.int64), strict=False)
            assert got.dtype == np.int64 and got.shape == tuple(n for i, n in enumerate(shape) if i not in axes)


def test_a_replay_follows_its_inputs():
    x, n = draw((3, 5 * PART), np.float32), RNG.integers(0, 9, (3, 5 * PART))

    def step():
        y, index = largest.max_all(x, least=True, threads=2)
        z, places = largest.max_forward(x, 0, least=True, threads=2)
        gradients = largest.max_all_backward(y, x, y, threads=2), largest.max_backward(z, places, x, 0, threads=2)
        return y, index, z, places, *gradients, convert.total(n, (0, 1), threads=2), convert.total(n, (0,), threads=2)

    recording, results = recorded(step)
    before = [y.copy() for y in results]
    x[...], n[...] = draw(x.shape, np.float32) * 2, n[::-1, ::-1] + 1
    recording.replay()
    assert recording.refused is None
    for got, old, fresh in zip(results, before, step(), strict=True):
        assert np.array_equal(got, fresh) and not np.array_equal(got, old)


def test_bad_arguments():
    for least, op in ((False, "max"), (True, "min")):
        with pytest.raises(ShapeError, match=rf"^{op}: x has no elements \(x.shape=\(0, 3\)\)"):
            largest.max_all(np.ones((0, 3)), least=least)
        with pytest.raises(ShapeError, match=rf"^{op}: x must have elements along axis 0, got x.shape=\(0, 3\)"):
            largest.max_forward(np.ones((0, 3)), 0, least=least)
