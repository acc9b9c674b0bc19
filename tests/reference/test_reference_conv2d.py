"""tests.reference.test_reference_conv2d: the reference convolution against seven nested loops, and as an adjoint."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastcnn.reference.conv2d import conv2d_backward_bias, conv2d_backward_data, conv2d_backward_weight, conv2d_forward
from fastcnn.shapes import conv2d_case

from ..cases import CONV2D_BASIC

SMALL = {name: case for name, case in CONV2D_BASIC.items() if case.macs <= 60_000}


def integers(shape, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape)


def products(case):
    """Yield (output index, image index, weight index) of every product in the sum, by the definition."""
    cig, cog = case.ci // case.groups, case.co // case.groups
    for n, o, p, q in itertools.product(*map(range, case.y_shape)):
        for c, r, s in itertools.product(range(cig), range(case.kh), range(case.kw)):
            i, j = p * case.sh + r * case.dh - case.pt, q * case.sw + s * case.dw - case.pl
            if 0 <= i < case.ih and 0 <= j < case.iw:
                yield (n, o, p, q), (n, o // cog * cig + c, i, j), (o, c, r, s)


@pytest.mark.parametrize("name", SMALL)
def test_equals_nested_loops(name):
    case = SMALL[name]
    x, w, b, dy = integers(case.x_shape), integers(case.w_shape, 1), integers(case.co, 2), integers(case.y_shape, 3)
    y, dx, dw = np.zeros(case.y_shape, int), np.zeros_like(x), np.zeros_like(w)
    y += b[:, None, None]
    for out, image, weight in products(case):
        y[out] += x[image] * w[weight]
        dx[image] += dy[out] * w[weight]
        dw[weight] += dy[out] * x[image]
    for got, want in (
        (conv2d_forward(x, w, b, case), y),
        (conv2d_backward_data(dy, w, case), dx),
        (conv2d_backward_weight(dy, x, case), dw),
        (conv2d_backward_bias(dy), dy.sum((0, 2, 3))),
    ):
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", CONV2D_BASIC)
def test_backwards_are_adjoints(name):
    """<dy, conv(x, w)> = <dx, x> = <dw, w>, exactly in integers."""
    case = CONV2D_BASIC[name]
    x, w, dy = integers(case.x_shape), integers(case.w_shape, 1), integers(case.y_shape, 2)
    inner = (dy * conv2d_forward(x, w, None, case)).sum()
    assert inner == (conv2d_backward_data(dy, w, case) * x).sum() == (conv2d_backward_weight(dy, x, case) * w).sum()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_memory_order(dtype):
    case = CONV2D_BASIC["grouped"]
    x, w, b, dy = (integers(s).astype(dtype) for s in (case.x_shape, case.w_shape, (case.co,), case.y_shape))
    outputs = conv2d_forward(x, w, b, case), conv2d_backward_data(dy, w, case), conv2d_backward_weight(dy, x, case)
    for y in outputs:
        assert y.dtype == dtype and y.transpose(0, 2, 3, 1).flags.c_contiguous
    assert conv2d_backward_bias(dy).dtype == dtype


def test_float32_is_rounded_once():
    """2^24 + 1 + 1 - 2^24 is 2 in float64 and 0 in float32."""
    x = np.array([2.0**24, 1, 1, -(2.0**24)], np.float32).reshape(1, 4, 1, 1)
    w = np.ones((1, 4, 1, 1), np.float32)
    assert conv2d_forward(x, w, None, conv2d_case(x.shape, w.shape)).item() == 2
