"""tests.ops.test_adaptive_avg_pool2d: means over a grid of bins."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.ops import adaptive_avg_pool2d
from fastcnn.reference.adaptive_avg_pool2d import adaptive_avg_pool2d_forward

from ..cases import ADAPTIVE, LAYOUTS, lay
from .draws import gradcheck, real


@pytest.mark.parametrize(("shape", "size"), ADAPTIVE.values(), ids=ADAPTIVE)
def test_gradient(shape, size):
    assert gradcheck(lambda x: adaptive_avg_pool2d(x, size), real(*shape))


@pytest.mark.parametrize(("shape", "size"), ADAPTIVE.values(), ids=ADAPTIVE)
def test_value(shape, size):
    x = real(*shape)
    np.testing.assert_allclose(adaptive_avg_pool2d(x, size).data, adaptive_avg_pool2d_forward(x, size), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_memory_layout(layout):
    assert gradcheck(lambda x: adaptive_avg_pool2d(x, 1), lay(real(2, 3, 4, 5), layout))


def test_none_keeps_a_size():
    assert adaptive_avg_pool2d(real(1, 2, 6, 5), (None, 1)).shape == (1, 2, 6, 1)


@pytest.mark.parametrize(
    ("x", "size", "error", "text"),
    [
        (np.ones((2, 3, 4)), 1, ShapeError, r"x must have 4 axes .*got x.shape=\(2, 3, 4\)"),
        (np.ones((2, 3, 0, 4)), 1, ShapeError, r"x has an empty axis \(x.shape=\(2, 3, 0, 4\)\)"),
        (np.ones((2, 3, 4, 4)), 0, ArgumentError, "output_size must be between 1"),
        (np.ones((2, 3, 4, 4)), (1, 1, 1), ArgumentError, "output_size must be an int or a pair of ints"),
        (np.ones((2, 3, 4, 4)), "a", ArgumentError, "output_size must be an int or a pair of ints"),
        (np.ones((2, 3, 4, 4), int), 1, DtypeError, "x must be float32 or float64, got int64"),
    ],
)
def test_bad_input(x, size, error, text):
    with pytest.raises(error, match="^adaptive_avg_pool2d: " + text):
        adaptive_avg_pool2d(x, size)
