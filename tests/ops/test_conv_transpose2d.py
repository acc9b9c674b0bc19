"""tests.ops.test_conv_transpose2d: gradients over geometries, the adjoint of conv2d, shapes that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.ops import conv2d, conv_transpose2d

from .draws import gradcheck, real

# x, weight, options.
ROWS = {
    "plain": ((2, 3, 4, 5), (3, 4, 3, 3), {}),
    "strided": ((2, 3, 4, 5), (3, 4, 3, 3), {"stride": 2, "padding": 1}),
    "output_padding": ((1, 4, 3, 4), (4, 2, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    "by_axis": ((1, 2, 4, 3), (2, 3, 2, 3), {"stride": (3, 1), "padding": (0, 1), "output_padding": (2, 0)}),
    "dilated": ((2, 2, 4, 3), (2, 3, 3, 2), {"dilation": (2, 3)}),
    "dilated_output_padding": ((1, 2, 4, 3), (2, 3, 3, 3), {"dilation": 3, "output_padding": 2}),
    "grouped": ((2, 6, 4, 4), (6, 2, 3, 3), {"groups": 3, "stride": 2}),
    "depthwise": ((2, 17, 4, 4), (17, 1, 3, 3), {"groups": 17, "stride": 2, "padding": 1, "output_padding": 1}),
    "kernel_below_stride": ((1, 3, 3, 3), (3, 2, 2, 2), {"stride": 3}),
    "1x1": ((2, 5, 3, 4), (5, 7, 1, 1), {}),
    "batch_0": ((0, 3, 4, 4), (3, 2, 3, 3), {"stride": 2}),
}


@pytest.mark.parametrize("algorithm", ["auto", "reference"])
@pytest.mark.parametrize("name", ROWS)
def test_gradient(name, algorithm):
    x, w, options = ROWS[name]
    bias = real(w[1] * options.get("groups", 1), seed=2)
    arrays = real(*x), real(*w, seed=1), bias
    assert gradcheck(lambda x, w, b: conv_transpose2d(x, w, b, algorithm=algorithm, **options), arrays)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if "output_padding" not in row[2]])
def test_is_the_adjoint_of_conv2d(name):
    x, w, options = ROWS[name]
    x, w = real(*x), real(*w, seed=1)
    y = conv_transpose2d(x, w, **options).data
    z = real(*y.shape, seed=3)
    back = conv2d(z, w, **options).data[:, :, : x.shape[2], : x.shape[3]]
    assert np.vdot(y, z) == pytest.approx(np.vdot(x, back), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "w", "options", "error", "text"),
    [
        ((2, 3, 4), (3, 4, 3, 3), {}, ShapeError, "x must have 4 axes"),
        ((2, 3, 4, 4), (3, 4, 3), {}, ShapeError, "weight must have 4 axes"),
        (
            (2, 3, 4, 4),
            (2, 4, 3, 3),
            {},
            ShapeError,
            r"weight expects 2 input channels, x has 3 \(x.shape=",
        ),
        ((2, 3, 4, 4), (3, 4, 3, 3), {"groups": 2}, ArgumentError, "groups must divide the 3 input channels of weight, got 2"),
        ((2, 3, 4, 4), (3, 4, 3, 3), {"groups": 1.5}, ArgumentError, "groups must be an int"),
        ((2, 3, 4, 4), (3, 4, 3, 3), {"output_padding": 1}, ArgumentError, "output_padding must be smaller than stride or dil"),
        ((2, 3, 1, 1), (3, 4, 3, 3), {"padding": 2}, ShapeError, "the output would have the height -1"),
        ((2, 3, 4, 4), (3, 4, 3, 3), {"stride": 0}, ArgumentError, "stride must be between 1"),
    ],
)
def test_bad_input(x, w, options, error, text):
    with pytest.raises(error, match="^conv_transpose2d: " + text):
        conv_transpose2d(np.ones(x), np.ones(w), **options)


def test_bad_bias():
    with pytest.raises(ShapeError, match=r"^conv_transpose2d: bias must have shape \(4,\), got bias.shape=\(3,\)"):
        conv_transpose2d(np.ones((1, 3, 4, 4)), np.ones((3, 4, 3, 3)), np.ones(3))
