"""tests.reference.test_reference_pool: the reference poolings against loops over windows, and as adjoints."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from fastcnn.reference.adaptive_avg_pool2d import adaptive_avg_pool2d_backward, adaptive_avg_pool2d_forward
from fastcnn.reference.avg_pool2d import avg_pool2d_backward, avg_pool2d_forward
from fastcnn.reference.max_pool2d import max_pool2d_backward, max_pool2d_forward
from fastcnn.shapes import pool2d_case

from ..cases import ADAPTIVE, MAX_POOL2D, POOL2D

NAN, INF = math.nan, math.inf


def integers(shape, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape)


def window(case, p, q):
    """Yield (tap, row, column) of every tap of a window, also outside of the image."""
    for r, s in itertools.product(range(case.kh), range(case.kw)):
        yield r * case.kw + s, p * case.sh + r * case.dh - case.ph, q * case.sw + s * case.dw - case.pw


def inside(case, i, j, ph=0, pw=0):
    return -ph <= i < case.ih + ph and -pw <= j < case.iw + pw


@pytest.mark.parametrize("name", MAX_POOL2D)
def test_max_equals_loops(name):
    case = MAX_POOL2D[name]
    x, dy = integers(case.x_shape), integers(case.y_shape, 1)
    y, index, dx = np.zeros(case.y_shape, int), np.zeros(case.y_shape, int), np.zeros(case.x_shape, int)
    for p, q in itertools.product(range(case.oh), range(case.ow)):
        taps = [(tap, i, j) for tap, i, j in window(case, p, q) if inside(case, i, j)]
        for n, c in itertools.product(range(case.batch), range(case.channels)):
            tap, i, j = max(taps, key=lambda t: x[n, c, t[1], t[2]])  # max returns the first of equals
            y[n, c, p, q], index[n, c, p, q] = x[n, c, i, j], tap
            dx[n, c, i, j] += dy[n, c, p, q]
    got, got_index = max_pool2d_forward(x, case)
    assert got_index.dtype == (np.uint8 if case.kh * case.kw <= 256 else np.int32)
    np.testing.assert_array_equal(got, y)
    np.testing.assert_array_equal(got_index, index)
    np.testing.assert_array_equal(max_pool2d_backward(dy, got_index, case), dx)


@pytest.mark.parametrize("name", POOL2D)
def test_avg_equals_loops(name):
    case = POOL2D[name]
    x, dy = integers(case.x_shape).astype(float), integers(case.y_shape, 1).astype(float)
    y, dx = np.zeros(case.y_shape), np.zeros(case.x_shape)
    pad = (case.ph, case.pw) if case.count_include_pad else (0, 0)
    for p, q in itertools.product(range(case.oh), range(case.ow)):
        taps = [(i, j) for _, i, j in window(case, p, q) if inside(case, i, j)]
        divisor = sum(inside(case, i, j, *pad) for _, i, j in window(case, p, q))
        y[:, :, p, q] = sum(x[:, :, i, j] for i, j in taps) / divisor
        for i, j in taps:
            dx[:, :, i, j] += dy[:, :, p, q] / divisor
    np.testing.assert_allclose(avg_pool2d_forward(x, case), y, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(avg_pool2d_backward(dy, case), dx, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_adaptive_avg_equals_loops(name):
    (batch, channels, ih, iw), (oh, ow) = ADAPTIVE[name]
    x, dy = integers((batch, channels, ih, iw)).astype(float), integers((batch, channels, oh, ow), 1).astype(float)
    y, dx = np.zeros(dy.shape), np.zeros(x.shape)
    for p, q in itertools.product(range(oh), range(ow)):
        bin_rows = range(math.floor(p * ih / oh), math.ceil((p + 1) * ih / oh))
        bin_columns = range(math.floor(q * iw / ow), math.ceil((q + 1) * iw / ow))
        pixels = list(itertools.product(bin_rows, bin_columns))
        for i, j in pixels:
            y[:, :, p, q] += x[:, :, i, j] / len(pixels)
            dx[:, :, i, j] += dy[:, :, p, q] / len(pixels)
    np.testing.assert_allclose(adaptive_avg_pool2d_forward(x, (oh, ow)), y, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(adaptive_avg_pool2d_backward(dy, x.shape), dx, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("values", "best", "tap"),
    [
        ([1, 3, 3, 2], 3, 1),
        ([NAN, 1, 2, 9], NAN, 0),
        ([1, NAN, NAN, 9], NAN, 2),
        ([NAN] * 4, NAN, 3),
        ([-INF] * 4, -INF, 0),
        ([-INF, -INF, -3, -INF], -3, 2),
        ([INF, 1, INF, NAN], NAN, 3),
    ],
)
def test_max_of_ties_nan_and_inf(values, best, tap):
    x = np.array(values, np.float32).reshape(1, 1, 2, 2)
    y, index = max_pool2d_forward(x, pool2d_case(x.shape, 2))
    np.testing.assert_array_equal(y.item(), best)
    assert index.item() == tap


def test_padding_never_wins():
    x = np.full((1, 1, 3, 3), -INF)
    y, index = max_pool2d_forward(x, pool2d_case(x.shape, 3, 2, 1))
    assert (y == -INF).all()
    assert index[0, 0].tolist() == [[4, 3], [1, 0]]  # the first tap inside of the image


def test_window_without_tap_gives_minus_inf_and_no_gradient():
    """Taps at -1 and 4 of an image of 4 rows: dilation steps over the image. PyTorch's index leaves the image here."""
    case = pool2d_case((1, 2, 4, 4), 2, 1, 1, dilation=5)
    y, index = max_pool2d_forward(np.ones(case.x_shape), case)
    assert y.shape == (1, 2, 1, 1) and (y == -INF).all()
    assert not max_pool2d_backward(np.ones(case.y_shape), index, case).any()
