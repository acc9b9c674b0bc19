"""tests.ops.test_linear: x @ weight.T + bias."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import DtypeError, ShapeError
from fastcnn.ops import linear

from ..cases import LAYOUTS, lay
from .draws import gradcheck, real

ROWS = [((4, 5), 3), ((1, 1), 1), ((5,), 3), ((2, 3, 7), 4), ((2, 2, 2, 33), 17), ((0, 5), 3), ((65, 31), 48), ((3, 0), 2)]


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(("shape", "out"), ROWS)
def test_gradient(shape, out, biased):
    inputs = (real(*shape), real(out, shape[-1], seed=1), real(out, seed=2))[: 2 + biased]
    assert gradcheck(linear, inputs)


@pytest.mark.parametrize(("shape", "out"), ROWS)
def test_value(shape, out):
    x, w, b = real(*shape), real(out, shape[-1], seed=1), real(out, seed=2)
    np.testing.assert_allclose(linear(x, w, b).data, x @ w.T + b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_memory_layout(layout):
    x, w, b = real(4, 5), real(3, 5, seed=1), real(3, seed=2)
    assert gradcheck(linear, (lay(x, layout), lay(w, layout), lay(b, layout)), mode="full")


X, W = np.ones((2, 5)), np.ones((3, 5))


@pytest.mark.parametrize(
    ("x", "weight", "bias", "error", "text"),
    [
        (X[:, :4], W, None, ShapeError, r"weight expects 5 input features .*\(x.shape=\(2, 4\), weight.shape=\(3, 5\)\)"),
        (np.float64(1), W, None, ShapeError, "weight expects 5 input features"),
        (X, W[0], None, ShapeError, r"weight must have 2 axes \(out_features, in_features\)"),
        (X, W, np.ones(4), ShapeError, r"bias must have shape \(3,\), got bias.shape=\(4,\)"),
        (X, W.astype("f"), None, DtypeError, "x and weight must have the same dtype, got float64 and float32"),
        (X, W, np.ones(3, "f"), DtypeError, "x and bias must have the same dtype"),
        (X.astype(int), W, None, DtypeError, "x must be float32 or float64, got int64"),
        (X.astype(object), W, None, DtypeError, "x: .*got object"),
    ],
)
def test_bad_input(x, weight, bias, error, text):
    with pytest.raises(error, match="^linear: " + text):
        linear(x, weight, bias)
