"""tests.ops.test_interpolate: larger and smaller, both modes, the adjoint, NaN, options that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.ops import interpolate

from ..cases import LAYOUTS, lay
from .draws import gradcheck, real

OPTIONS = [
    {"size": (6, 8)},
    {"size": (2, 3)},
    {"size": 5},
    {"scale_factor": 2},
    {"scale_factor": (1.5, 0.5)},
    {"size": (6, 8), "mode": "bilinear"},
    {"size": (2, 9), "mode": "bilinear", "align_corners": True},
    {"size": (1, 1), "mode": "bilinear", "align_corners": True},
    {"scale_factor": 2, "mode": "bilinear", "align_corners": False},
    {"scale_factor": (2.5, 0.7), "mode": "bilinear"},
]


@pytest.mark.parametrize("shape", [(2, 3, 3, 4), (1, 17, 5, 2), (0, 3, 4, 4)])
@pytest.mark.parametrize("options", OPTIONS)
def test_gradient(options, shape):
    assert gradcheck(lambda x: interpolate(x, **options), real(*shape))


def test_values():
    x = np.arange(4.0).reshape(1, 1, 2, 2)
    assert interpolate(x, scale_factor=2).data[0, 0].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    assert interpolate(x, (2, 3), mode="bilinear", align_corners=True).data[0, 0].tolist() == [[0, 0.5, 1], [2, 2.5, 3]]
    middle = interpolate(x, (2, 4), mode="bilinear").data[0, 0]
    assert middle.tolist() == [[0, 0.25, 0.75, 1], [2, 2.25, 2.75, 3]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_array_layout(layout):
    x = real(2, 3, 4, 5)
    y = interpolate(lay(x, layout), (7, 6), mode="bilinear").data
    assert np.array_equal(y, interpolate(x, (7, 6), mode="bilinear").data)
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous


def test_nan_stays_where_it_is():
    x = real(1, 2, 4, 4)
    x[0, 0, 1, 1] = np.nan
    for mode in ("nearest", "bilinear"):
        y = interpolate(x, scale_factor=2, mode=mode).data
        assert np.isnan(y[0, 0, 2:4, 2:4]).all() and not np.isnan(y[0, 1]).any() and not np.isnan(y[0, 0, 6:]).any()


@pytest.mark.parametrize(
    ("x", "options", "error", "text"),
    [
        (np.ones((2, 3, 4)), {"size": 2}, ShapeError, r"x must be \(batch, channels, height, width\)"),
        (np.ones((1, 1, 2, 2)), {}, ArgumentError, "one of size and scale_factor is needed"),
        (np.ones((1, 1, 2, 2)), {"size": 2, "scale_factor": 2}, ArgumentError, "one of size and scale_factor is needed"),
        (np.ones((1, 1, 2, 2)), {"size": 2, "mode": "bicubic"}, ArgumentError, "mode must be 'nearest' or 'bilinear', got 'bic"),
        (
            np.ones((1, 1, 2, 2)),
            {"size": 2, "align_corners": True},
            ArgumentError,
            "align_corners is an option of mode='bilinear'",
        ),
        (np.ones((1, 1, 2, 2)), {"size": 0}, ArgumentError, "size must be between 1"),
        (np.ones((1, 1, 2, 2)), {"scale_factor": 0.1}, ArgumentError, "size must be between 1"),
        (np.ones((1, 1, 2, 2)), {"scale_factor": -1}, ArgumentError, "scale_factor must be between 0"),
    ],
)
def test_bad_input(x, options, error, text):
    with pytest.raises(error, match="^interpolate: " + text):
        interpolate(x, **options)
