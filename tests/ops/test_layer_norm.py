"""tests.ops.test_layer_norm: the last axes, with and without weight and bias, shapes that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.ops import layer_norm

from .draws import gradcheck, positive, real

ROWS = [
    ((3, 5), (5,)),
    ((2, 3, 4), (4,)),
    ((2, 3, 4), (3, 4)),
    ((2, 3, 4, 5), (3, 4, 5)),
    ((6,), (6,)),
    ((0, 4), (4,)),
    ((3, 1), (1,)),
]


@pytest.mark.parametrize(("shape", "last"), ROWS)
def test_gradient_and_value(shape, last):
    x, w, b = real(*shape), positive(*last), real(*last, seed=2)
    assert gradcheck(lambda x, w, b: layer_norm(x, last, w, b, 1e-3), (x, w, b))
    assert gradcheck(lambda x, w: layer_norm(x, last, w, eps=1e-3), (x, w))
    assert gradcheck(lambda x, b: layer_norm(x, last, bias=b, eps=1e-3), (x, b))
    over = tuple(range(-len(last), 0))
    want = (x - x.mean(axis=over, keepdims=True)) / np.sqrt(x.var(axis=over, keepdims=True) + 1e-3) * w + b
    np.testing.assert_allclose(layer_norm(x, last, w, b, 1e-3).data, want, rtol=1e-10, atol=1e-12)


def test_int_and_permuted_images():
    x = real(2, 6, 3, 4)
    np.testing.assert_allclose(layer_norm(x.transpose(0, 2, 3, 1), 6).data, layer_norm(x.transpose(0, 2, 3, 1).copy(), (6,)).data)


@pytest.mark.parametrize(
    ("args", "error", "text"),
    [
        ((np.ones((2, 3)), 2), ShapeError, r"x must end in normalized_shape=\(2,\), got x.shape=\(2, 3\)"),
        ((np.ones((2, 3)), ()), ShapeError, "x must end in"),
        ((np.ones(3), (2, 3)), ShapeError, "x must end in"),
        ((np.ones((2, 3)), 1.5), ArgumentError, "normalized_shape must be an int"),
        ((np.ones((2, 3)), 3, np.ones(2)), ShapeError, r"weight must have shape \(3,\)"),
    ],
)
def test_bad_input(args, error, text):
    with pytest.raises(error, match="^layer_norm: " + text):
        layer_norm(*args)
