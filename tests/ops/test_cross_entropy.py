"""tests.ops.test_cross_entropy: the loss, its options, and labels that are not labels."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.ops import cross_entropy

from .draws import channels_last, gradcheck, real

SHAPES = [(4, 3), (1, 10), (7, 1), (33, 17), (5, 2)]


def labels(shape):
    return np.random.default_rng(1).integers(0, shape[1], shape[0])


def by_hand(x, target, smoothing):
    log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    return -(1 - smoothing) * log_p[np.arange(len(target)), target] - smoothing * log_p.mean(axis=1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_and_value(shape, reduction, smoothing):
    x, target = real(*shape), labels(shape)

    def loss(x):
        return cross_entropy(x, target, reduction=reduction, label_smoothing=smoothing)

    assert gradcheck(loss, x, mode="full" if x.size < 60 else "projection")
    each = by_hand(x, target, smoothing)
    expected = {"mean": each.mean(), "sum": each.sum(), "none": each}[reduction]
    np.testing.assert_allclose(loss(x).data, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("ignored", [-100, -1, 2])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ignored_samples(reduction, ignored):
    x, target = real(5, 4), np.array([0, 3, 1, 3, 0])
    marked = np.where([False, True, False, False, True], ignored, target)

    def loss(x):
        return cross_entropy(x, marked, reduction=reduction, ignore_index=ignored, label_smoothing=0.1)

    assert gradcheck(loss, x, mode="full")
    each = by_hand(x, target, 0.1) * [1, 0, 1, 1, 0]
    expected = {"mean": each.sum() / 3, "sum": each.sum(), "none": each}[reduction]
    np.testing.assert_allclose(loss(x).data, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64])
def test_any_integer_dtype(dtype):
    x = real(4, 3)
    assert cross_entropy(x, np.array([0, 1, 2, 0], dtype)).item() == cross_entropy(x, [0, 1, 2, 0]).item()


def test_large_logits_stay_finite():
    x = Tensor(np.array([[1e4, -1e4], [0, 3e38]], np.float32), requires_grad=True)
    loss = cross_entropy(x, [0, 1])
    loss.backward()
    assert loss.item() == 0 and np.isfinite(x.grad.data).all()


def test_no_sample():
    x = np.zeros((0, 3))
    assert np.isnan(cross_entropy(x, np.zeros(0, int)).item())
    assert cross_entropy(x, np.zeros(0, int), reduction="sum").item() == 0
    assert np.isnan(cross_entropy(np.ones((2, 3)), [-100, -100]).item())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 2, 3), (4,), (2, 3, 4)])
def test_class_weights(shape, reduction, smoothing):
    x, classes = real(*shape), shape[min(1, len(shape) - 1)]
    w = np.arange(1.0, classes + 1)
    target = np.random.default_rng(2).integers(0, classes, shape[:1] + shape[2:] if len(shape) > 1 else ())
    target.reshape(-1)[-1:] = -100 if len(shape) > 1 else 1

    def loss(x):
        return cross_entropy(x, target, w, reduction=reduction, label_smoothing=smoothing)

    assert gradcheck(loss, x, mode="full")
    rows, labels = np.moveaxis(x, min(1, x.ndim - 1), -1).reshape(-1, classes), target.ravel()
    kept = labels >= 0
    log_p = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    one_hot = np.eye(classes)[np.where(kept, labels, 0)] * kept[:, None]
    each = -((1 - smoothing) * one_hot + smoothing / classes * kept[:, None]) * w * log_p
    each = each.sum(axis=1)
    expected = {"mean": each.sum() / w[labels[kept]].sum(), "sum": each.sum(), "none": each.reshape(target.shape)}[reduction]
    np.testing.assert_allclose(loss(x).data, expected, rtol=1e-10, atol=1e-12)


def test_all_weights_zero_or_all_targets_ignored():
    x = Tensor(real(2, 3), requires_grad=True)
    for options in ({"weight": np.zeros(3)}, {"weight": np.ones(3), "ignore_index": 1}, {"ignore_index": 1}):
        for smoothing in (0.0, 0.1):
            loss = cross_entropy(x, [1, 1], label_smoothing=smoothing, **options)
            assert np.isnan(loss.item()) or smoothing
    assert cross_entropy(x, [1, 1], reduction="sum", ignore_index=1).item() == 0


def test_images_of_labels_in_channels_last_memory():
    x, target = real(2, 3, 4, 5), np.random.default_rng(0).integers(0, 3, (2, 4, 5))
    each = cross_entropy(channels_last(x), target, reduction="none").data
    np.testing.assert_allclose(each, by_hand(x.transpose(0, 2, 3, 1).reshape(-1, 3), target.ravel(), 0).reshape(2, 4, 5))


def test_probabilities_go_to_the_soft_loss():
    x, q = Tensor(real(4, 3), requires_grad=True), np.eye(3)[[0, 2, 1, 1]]
    loss = cross_entropy(x, q, label_smoothing=0.1)
    assert loss.node.op == "soft_cross_entropy"
    assert loss.item() == pytest.approx(cross_entropy(x, [0, 2, 1, 1], label_smoothing=0.1).item(), rel=1e-12)


X = np.ones((2, 3))
BAD = [
    (X, [0, 3], {}, ArgumentError, r"target must be between 0 and 2, got 3 \(x.shape=\(2, 3\), target.shape=\(2,\)\)"),
    (X, [-1, 0], {}, ArgumentError, "target must be between 0 and 2, got -1"),
    (X, np.array([2**64 - 1, 0], np.uint64), {}, ArgumentError, "target must be between 0 and 2, got 18446744073709551615"),
    (X, [0.0, float("nan")], {}, DtypeError, r"target must be integers \(class numbers\), got float32"),
    (X, np.array([0.0, np.nan]), {}, DtypeError, "target must be integers .*got float64"),
    (X, [True, False], {}, DtypeError, "target must be integers .*got bool"),
    (X, ["a", "b"], {}, DtypeError, "target: .*dtype must be"),
    (
        X,
        [0, 1, 2],
        {},
        ShapeError,
        r"x must be \(batch, classes, ...\) and target \(batch, ...\), got x.shape=\(2, 3\), target.shape=\(3,\)",
    ),
    (X, [[0], [1]], {}, ShapeError, "x must be"),
    (X[0], [0, 1], {}, ShapeError, "x must be"),
    (X.astype(int), [0, 1], {}, DtypeError, "x must be float32 or float64, got int64"),
    (X, [0, 1], {"reduction": "average"}, ArgumentError, "reduction must be 'mean', 'sum' or 'none', got 'average'"),
    (X, [0, 1], {"label_smoothing": -0.1}, ArgumentError, "label_smoothing must be between 0 and 1, got -0.1"),
    (X, [0, 1], {"label_smoothing": float("nan")}, ArgumentError, "label_smoothing must be between 0 and 1, got nan"),
    (X, [0, 1], {"weight": np.ones(2)}, ShapeError, r"weight must have shape \(3,\), got \(2,\) \(x.shape=\(2, 3\)\)"),
    (X, [0, 1], {"weight": np.ones(3, "f4")}, DtypeError, "x and weight must have the same dtype"),
    (X, None, {}, DtypeError, "target must be a tensor or an array, got NoneType"),
]


@pytest.mark.parametrize(("x", "target", "options", "error", "text"), BAD)
def test_bad_input(x, target, options, error, text):
    with pytest.raises(error, match="^cross_entropy: " + text):
        cross_entropy(x, target, **options)
