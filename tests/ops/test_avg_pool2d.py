"""tests.ops.test_avg_pool2d: gradients and values of every geometry, errors."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.ops import avg_pool2d
from fastcnn.reference.avg_pool2d import avg_pool2d_forward
from fastcnn.shapes import pool2d_case

from ..cases import LAYOUTS, lay
from .draws import distinct, gradcheck

# Shape of x, then the options.
ROWS = {
    "2x2": ((2, 3, 6, 8), {"kernel_size": 2}),
    "3x3_stride_2": ((1, 5, 7, 9), {"kernel_size": 3, "stride": 2, "padding": 1}),
    "overlapping": ((1, 2, 6, 6), {"kernel_size": 3, "stride": 1}),
    "stride_above_kernel": ((1, 3, 9, 8), {"kernel_size": 2, "stride": 3}),
    "by_axis": ((2, 2, 7, 8), {"kernel_size": (3, 2), "stride": (1, 2), "padding": (1, 0)}),
    "ceil_mode": ((1, 3, 6, 7), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    "ceil_mode_padded": ((1, 3, 7, 8), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    "whole_image": ((1, 5, 5, 4), {"kernel_size": (5, 4)}),
    "one_pixel": ((2, 3, 1, 1), {"kernel_size": 1}),
    "lists": ((1, 2, 4, 4), {"kernel_size": [2, 2], "stride": [2, 2]}),
    "batch_0": ((0, 3, 4, 4), {"kernel_size": 2}),
    "pad_not_counted": ((1, 3, 7, 8), {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    "pad_not_counted_ceil": (
        (1, 3, 6, 8),
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    ),
}


@pytest.mark.parametrize(("shape", "options"), ROWS.values(), ids=ROWS)
def test_gradient(shape, options):
    assert gradcheck(lambda x: avg_pool2d(x, **options), distinct(*shape), mode="full")


@pytest.mark.parametrize(("shape", "options"), ROWS.values(), ids=ROWS)
def test_value(shape, options):
    x = distinct(*shape)
    expected = avg_pool2d_forward(x, pool2d_case(shape, **options))
    np.testing.assert_allclose(avg_pool2d(x, **options).data, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_memory_layout(layout):
    x = distinct(2, 3, 6, 8)
    assert gradcheck(lambda x: avg_pool2d(x, 3, 2, 1), lay(x, layout))


X = np.ones((2, 3, 6, 6))
BAD = [
    (X[0], {"kernel_size": 2}, ShapeError, r"x must have 4 axes .*got x.shape=\(3, 6, 6\)"),
    (X, {"kernel_size": 7}, ShapeError, r"kernel height 7 is larger than the padded image height 6 \(x.shape=\(2, 3, 6, 6\)\)"),
    (X[:, :0], {"kernel_size": 2}, ShapeError, "x has an empty axis"),
    (X, {"kernel_size": 0}, ArgumentError, "kernel_size must be between 1 and 2147483647, got 0"),
    (X, {"kernel_size": 2.5}, ArgumentError, "kernel_size must be an int or a pair of ints, got 2.5"),
    (X, {"kernel_size": 2, "stride": 0}, ArgumentError, "stride must be between 1"),
    (X, {"kernel_size": 2, "padding": -1}, ArgumentError, "padding must be between 0"),
    (X, {"kernel_size": 2, "padding": 2}, ArgumentError, "padding must be at most half of the kernel"),
    (X, {"kernel_size": None}, ArgumentError, "kernel_size must be an int or a pair of ints"),
    (X.astype(int), {"kernel_size": 2}, DtypeError, r"x must be float32 or float64, got int64 \(x.shape=\(2, 3, 6, 6\)\)"),
    (X.astype(object), {"kernel_size": 2}, DtypeError, "x: .*got object"),
    (None, {"kernel_size": 2}, DtypeError, "x must be a tensor or an array, got NoneType"),
]


@pytest.mark.parametrize(("x", "options", "error", "text"), BAD)
def test_bad_input(x, options, error, text):
    with pytest.raises(error, match="^avg_pool2d: " + text):
        avg_pool2d(x, **options)


def test_padding_counts_by_default():
    y = avg_pool2d(Tensor(np.full((1, 1, 2, 2), 9.0)), 3, 1, 1)
    assert (y.data == 4.0).all()
