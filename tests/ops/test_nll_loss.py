"""tests.ops.test_nll_loss: the loss of log-probabilities, its options, and labels that are not labels."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.ops import cross_entropy, log_softmax, nll_loss

from .draws import gradcheck, real

SHAPES = [(4, 3), (7, 1), (2, 3, 4), (2, 3, 2, 3), (5,)]


def labels(shape):
    classes = shape[min(1, len(shape) - 1)]
    return np.random.default_rng(1).integers(0, classes, shape[:1] + shape[2:] if len(shape) > 1 else ())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_and_value(shape, reduction, weighted):
    x, target, at = real(*shape), labels(shape), min(1, len(shape) - 1)
    w = np.arange(1.0, shape[at] + 1) if weighted else None
    assert gradcheck(lambda x: nll_loss(x, target, w, reduction=reduction), x, mode="full")
    log_p = log_softmax(x, at)
    ours, whole = nll_loss(log_p, target, w, reduction=reduction), cross_entropy(x, target, w, reduction=reduction)
    np.testing.assert_allclose(ours.data, whole.data, rtol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ignored_targets(reduction):
    x, target = real(5, 4), np.array([0, 2, 1, 2, 3])
    assert gradcheck(lambda x: nll_loss(x, target, ignore_index=2, reduction=reduction), x, mode="full")
    each = np.where(target == 2, 0, -x[np.arange(5), target])
    expected = {"mean": each.sum() / 3, "sum": each.sum(), "none": each}[reduction]
    np.testing.assert_allclose(nll_loss(x, target, ignore_index=2, reduction=reduction).data, expected)


def test_nothing_to_average():
    assert np.isnan(nll_loss(np.ones((2, 3)), [-100, -100]).item())
    assert nll_loss(np.ones((0, 3)), np.zeros(0, int), reduction="sum").item() == 0


X = np.ones((2, 3))
BAD = [
    ((X, [0, 3]), {}, ArgumentError, "target must be between 0 and 2, got 3"),
    ((X, [0.0, 1.0]), {}, DtypeError, "target must be integers"),
    (
        (X, [0]),
        {},
        ShapeError,
        r"x must be \(batch, classes, ...\) and target \(batch, ...\), got x.shape=\(2, 3\), target.*\(1,\)",
    ),
    ((np.float64(1), 0), {}, ShapeError, "x must be"),
    ((X, [0, 1], np.ones(2)), {}, ShapeError, r"weight must have shape \(3,\), got \(2,\)"),
    ((X, [0, 1]), {"reduction": "all"}, ArgumentError, "reduction must be 'mean', 'sum' or 'none', got 'all'"),
    ((X, [0, 1]), {"ignore_index": 0.5}, ArgumentError, "ignore_index must be an int, got 0.5"),
]


@pytest.mark.parametrize(("args", "options", "error", "text"), BAD)
def test_bad_input(args, options, error, text):
    with pytest.raises(error, match="^nll_loss: " + text):
        nll_loss(*args, **options)
