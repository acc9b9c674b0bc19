"""tests.ops.test_adaptive_max_pool2d: largest values over a grid of equal bins."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.ops import adaptive_max_pool2d

from .draws import distinct, gradcheck

ROWS = [((2, 3, 4, 6), 1), ((2, 3, 4, 6), 2), ((2, 3, 4, 6), (4, 3)), ((1, 17, 7, 7), 1), ((0, 3, 4, 4), 1), ((1, 2, 20, 20), 1)]


@pytest.mark.parametrize(("shape", "size"), ROWS)
def test_gradient(shape, size):
    assert gradcheck(lambda x: adaptive_max_pool2d(x, size), distinct(*shape))


@pytest.mark.parametrize(("shape", "size"), ROWS)
def test_value(shape, size):
    x = distinct(*shape)
    oh, ow = size if isinstance(size, tuple) else (size, size)
    bins = x.reshape(*shape[:2], oh, shape[2] // oh, ow, shape[3] // ow)
    assert np.array_equal(adaptive_max_pool2d(x, size).data, bins.max(axis=(3, 5)))


def test_none_keeps_a_size():
    assert adaptive_max_pool2d(distinct(1, 2, 6, 5), (None, 1)).shape == (1, 2, 6, 1)


@pytest.mark.parametrize(
    ("x", "size", "error", "text"),
    [
        (np.ones((2, 3, 4)), 1, ShapeError, r"x must have 4 axes .*got x.shape=\(2, 3, 4\)"),
        (np.ones((2, 3, 0, 4)), 1, ShapeError, "x has an empty axis"),
        (np.ones((2, 3, 4, 4)), 3, ShapeError, r"output_size=\(3, 3\) does not divide the image \(x.shape=\(2, 3, 4, 4\)\)"),
        (np.ones((2, 3, 4, 4)), 0, ArgumentError, "output_size must be between 1"),
        (np.ones((2, 3, 4, 4), int), 1, DtypeError, "x must be float32 or float64, got int64"),
    ],
)
def test_bad_input(x, size, error, text):
    with pytest.raises(error, match="^adaptive_max_pool2d: " + text):
        adaptive_max_pool2d(x, size)
