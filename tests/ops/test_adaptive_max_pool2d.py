"""tests.ops.test_adaptive_max_pool2d: largest values over a grid of equal bins."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.ops import adaptive_max_pool2d

from .draws import distinct, gradcheck

ROWS = [((2, 3, 4, 6), 1), ((2, 3, 4, 6), 2), ((2, 3, 4, 6), (4, 3)), ((1, 17, 7, 7), 1), ((0, 3, 4, 4), 1), ((1, 2, 20, 20), 1)]
UNEVEN = [((2, 3, 5, 7), (3, 4)), ((1, 17, 9, 5), (1, 4)), ((1, 3, 2, 3), (5, 4)), ((1, 2, 40, 37), 2)]


@pytest.mark.parametrize(("shape", "size"), ROWS + UNEVEN)
def test_gradient(shape, size):
    assert gradcheck(lambda x: adaptive_max_pool2d(x, size), distinct(*shape))


@pytest.mark.parametrize(("shape", "size"), ROWS)
def test_value(shape, size):
    x = distinct(*shape)
    oh, ow = size if isinstance(size, tuple) else (size, size)
    bins = x.reshape(*shape[:2], oh, shape[2] // oh, ow, shape[3] // ow)
    assert np.array_equal(adaptive_max_pool2d(x, size).data, bins.max(axis=(3, 5)))


@pytest.mark.parametrize(("shape", "size"), UNEVEN)
def test_value_of_uneven_bins(shape, size):
    x, (oh, ow) = distinct(*shape), size if isinstance(size, tuple) else (size, size)
    y = adaptive_max_pool2d(x, size).data
    for p in range(oh):
        for q in range(ow):
            rows = slice(p * shape[2] // oh, -(-(p + 1) * shape[2] // oh))
            columns = slice(q * shape[3] // ow, -(-(q + 1) * shape[3] // ow))
            assert np.array_equal(y[:, :, p, q], x[:, :, rows, columns].max(axis=(2, 3)))


def test_none_keeps_a_size():
    assert adaptive_max_pool2d(distinct(1, 2, 6, 5), (None, 1)).shape == (1, 2, 6, 1)


@pytest.mark.parametrize(
    ("x", "size", "error", "text"),
    [
        (np.ones((2, 3, 4)), 1, ShapeError, r"x must have 4 axes .*got x.shape=\(2, 3, 4\)"),
        (np.ones((2, 3, 0, 4)), 1, ShapeError, "x has an empty axis"),
        (np.ones((2, 3, 4, 4)), 0, ArgumentError, "output_size must be between 1"),
        (np.ones((2, 3, 4, 4), int), 1, DtypeError, "x must be float32 or float64, got int64"),
    ],
)
def test_bad_input(x, size, error, text):
    with pytest.raises(error, match="^adaptive_max_pool2d: " + text):
        adaptive_max_pool2d(x, size)
