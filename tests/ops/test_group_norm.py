"""tests.ops.test_group_norm: groups of every size, its special cases, memory orders, sizes that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.ops import group_norm, layer_norm

from ..cases import LAYOUTS, lay
from .draws import gradcheck, positive, real

ROWS = [
    ((2, 6, 3, 2), 1),
    ((2, 6, 3, 2), 3),
    ((2, 6, 3, 2), 6),
    ((3, 8), 2),
    ((2, 4, 5), 4),
    ((1, 4, 2, 2, 2), 2),
    ((0, 4, 3, 3), 2),
]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("shape", "groups"), ROWS)
def test_gradient_and_value(shape, groups, affine):
    x, w, b = real(*shape), positive(shape[1]), real(shape[1], seed=2)
    if affine:
        assert gradcheck(lambda x, w, b: group_norm(x, groups, w, b, 1e-3), (x, w, b))
    else:
        w, b = np.ones(shape[1]), np.zeros(shape[1])
        assert gradcheck(lambda x: group_norm(x, groups, eps=1e-3), x)
    grouped = x.reshape(shape[0], groups, -1) if x.size else x.reshape(0, groups, 1)
    want = (grouped - grouped.mean(axis=2, keepdims=True)) / np.sqrt(grouped.var(axis=2, keepdims=True) + 1e-3)
    along = (-1, *(1,) * (len(shape) - 2))
    want = want.reshape(shape) * w.reshape(along) + b.reshape(along)
    np.testing.assert_allclose(group_norm(x, groups, w, b, 1e-3).data, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_array_layout(layout):
    x = real(2, 6, 4, 3)
    np.testing.assert_allclose(group_norm(lay(x, layout), 3).data, group_norm(x, 3).data, rtol=1e-12, atol=1e-13)


def test_one_group_is_layer_norm_and_large_means_keep_their_digits():
    x = real(2, 6, 4, 3)
    np.testing.assert_allclose(group_norm(x, 1).data, layer_norm(x, (6, 4, 3)).data, rtol=1e-10, atol=1e-12)
    far = (x + 1000).astype(np.float32)
    want = group_norm(far.astype(np.float64), 2).data
    np.testing.assert_allclose(group_norm(far, 2).data, want, atol=1e-3)


@pytest.mark.parametrize(
    ("args", "error", "text"),
    [
        ((np.ones((2, 6, 2, 2)), 4), ArgumentError, r"num_groups must divide the 6 channels, got 4 \(x.shape=\(2, 6, 2, 2\)\)"),
        ((np.ones((2, 6, 2, 2)), 0), ArgumentError, "num_groups must divide"),
        ((np.ones(3), 1), ShapeError, r"x must be \(batch, channels, ...\)"),
        ((np.ones((2, 3, 0)), 1), ShapeError, "x must be .* with no empty axis"),
        ((np.ones((2, 3)), 3), ShapeError, "a group needs more than one value"),
        ((np.ones((2, 4)), 2, np.ones(3)), ShapeError, r"weight must have shape \(4,\), got \(3,\)"),
        ((np.ones((2, 4)), 2, None, np.ones(2)), ShapeError, r"bias must have shape \(4,\), got \(2,\)"),
        ((np.ones((2, 4)), 2, None, None, -1), ArgumentError, "eps must be between 0"),
    ],
)
def test_bad_input(args, error, text):
    with pytest.raises(error, match="^group_norm: " + text):
        group_norm(*args)
