"""tests.ops.test_soft_cross_entropy: probabilities as targets."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.ops import soft_cross_entropy, softmax

from .draws import gradcheck, real


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(4, 3), (3, 1), (5,), (2, 3, 2, 2)])
def test_gradient_and_value(shape, reduction, weighted, smoothing):
    at = min(1, len(shape) - 1)
    x, target = real(*shape), softmax(real(*shape, seed=1), at).data
    w = np.arange(1.0, shape[at] + 1) if weighted else None

    def loss(x, t):
        return soft_cross_entropy(x, t, w, reduction=reduction, label_smoothing=smoothing)

    assert gradcheck(loss, (x, target), mode="full" if x.size < 20 else "projection")
    rows, q = (np.moveaxis(a, at, -1).reshape(-1, shape[at]) for a in (x, target))
    log_p = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    each = -(((1 - smoothing) * q + smoothing / shape[at]) * (1 if w is None else w) * log_p).sum(axis=1)
    expected = {"mean": each.mean(), "sum": each.sum(), "none": each.reshape(shape[:at] + shape[at + 1 :])}[reduction]
    np.testing.assert_allclose(loss(x, target).data, expected, rtol=1e-10, atol=1e-14)


def test_large_logits_stay_finite():
    x = Tensor(np.array([[1e4, -1e4], [0, 3e38]], np.float32), requires_grad=True)
    loss = soft_cross_entropy(x, np.array([[1, 0], [0, 1]], np.float32))
    loss.backward()
    assert loss.item() == 0 and np.isfinite(x.grad.data).all()


def test_no_sample():
    x = np.zeros((0, 3))
    assert np.isnan(soft_cross_entropy(x, x).item()) and soft_cross_entropy(x, x, reduction="sum").item() == 0


@pytest.mark.parametrize(
    ("target", "options", "error", "text"),
    [
        (np.ones((3, 2)), {}, ShapeError, "target must have the shape of x"),
        (np.ones((2, 3), int), {}, DtypeError, "x and target must have the same dtype"),
        (np.ones((2, 3)), {"label_smoothing": 2}, ArgumentError, "label_smoothing must be between 0 and 1, got 2"),
        (np.ones((2, 3)), {"weight": np.ones(2)}, ShapeError, "weight must have shape"),
        (np.ones((2, 3)), {"reduction": None}, ArgumentError, "reduction must be"),
    ],
)
def test_bad_input(target, options, error, text):
    with pytest.raises(error, match="^soft_cross_entropy: " + text):
        soft_cross_entropy(np.ones((2, 3)), target, **options)
