"""tests.kernels.test_weighted_losses: weights of classes and of logits, divergences, likelihoods against the definitions."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import cpu
from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.kernels import cross_entropy, loss
from fastcnn.reference import cross_entropy as reference
from fastcnn.reference import loss as reference_loss

from .. import harness

RNG = np.random.default_rng(0)
every_isa = pytest.mark.parametrize("isa", harness.ISAS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
every_reduction = pytest.mark.parametrize("reduction", ["none", "sum", "mean"])


def tolerance(dtype):
    return {"rtol": 3e-6, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-14}


@every_isa
@every_reduction
@every_dtype
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("classes", [1, 10, 37])
def test_weights_of_classes(classes, smoothing, dtype, reduction, isa):
    x, weight = (2 * RNG.standard_normal((9, classes))).astype(dtype), RNG.uniform(0.1, 2, classes).astype(dtype)
    target = RNG.integers(0, classes, 9)
    target[2] = -7
    options = {"weight": weight, "ignore_index": -7, "reduction": reduction}
    with cpu.use_isa(isa):
        for threads in (1, 2):
            got, probs = cross_entropy.cross_entropy_forward(x, target, smoothing, **options, threads=threads)
            want, expected = reference.cross_entropy_forward(x, target, smoothing, **options)
            np.testing.assert_allclose(got, want, **tolerance(dtype))
            np.testing.assert_allclose(probs, expected, **tolerance(dtype))
            dy = RNG.standard_normal(got.shape).astype(dtype)
            got = cross_entropy.cross_entropy_backward(dy, probs, target, smoothing, **options, threads=threads)
            want = reference.cross_entropy_backward(dy, probs, target, smoothing, **options)
            np.testing.assert_allclose(got, want, **tolerance(dtype))


@every_reduction
@every_dtype
@pytest.mark.parametrize("weighted", [False, True])
def test_likelihood(weighted, dtype, reduction):
    x, target = RNG.standard_normal((7, 4)).astype(dtype), np.array([0, 3, 1, 9, 2, 2, 0])
    weight = RNG.uniform(0.1, 2, 4).astype(dtype) if weighted else None
    options = {"weight": weight, "ignore_index": 9, "reduction": reduction}
    kept = target != 9
    scale = np.where(kept, (np.ones(4) if weight is None else weight)[target * kept], 0)
    each = -scale * x[np.arange(7), target * kept]
    divisor = scale.sum() if reduction == "mean" else 1
    want = each if reduction == "none" else each.sum() / divisor
    got = cross_entropy.nll_loss_forward(x, target, **options)
    np.testing.assert_allclose(got, want, **tolerance(dtype))
    dy, dx = RNG.standard_normal(got.shape).astype(dtype), np.zeros_like(x)
    dx[np.arange(7), target * kept] = -scale * dy / divisor
    np.testing.assert_allclose(cross_entropy.nll_loss_backward(dy, x, target, **options), dx, **tolerance(dtype))


def test_nothing_counts():
    x, target = np.zeros((2, 3)), np.array([-100, -100])
    for weight in (None, np.ones(3)):
        assert np.isnan(cross_entropy.nll_loss_forward(x, target, weight=weight, reduction="mean"))
        assert not cross_entropy.nll_loss_backward(np.array(1.0), x, target, weight=weight, reduction="mean").any()


@every_isa
@every_reduction
@every_dtype
@pytest.mark.parametrize("kind", ["divergence", "log_divergence", "logits", "weighted"])
def test_losses_of_probabilities(kind, dtype, reduction, isa):
    x, t = RNG.standard_normal((5, 3, 7)).astype(dtype), RNG.uniform(0, 1, (5, 3, 7)).astype(dtype)
    t[0, 0, :3] = 0
    options = {"reduction": reduction}
    if kind == "weighted":
        kind, options["weight"] = "logits", RNG.uniform(0, 2, (3, 1)).astype(dtype)
        options["pos_weight"] = RNG.uniform(0.5, 3, 7).astype(dtype)
    with cpu.use_isa(isa):
        got = loss.loss_forward(x, t, kind, **options, threads=2)
        np.testing.assert_allclose(got, reference_loss.loss_forward(x, t, kind, **options), **tolerance(dtype))
        dy = RNG.standard_normal(got.shape).astype(dtype)
        for of_target in (False, True):
            got = loss.loss_backward(dy, x, t, kind, **options, of_target=of_target, threads=2)
            want = reference_loss.loss_backward(dy, x, t, kind, **options, of_target=of_target)
            np.testing.assert_allclose(got, want, **tolerance(dtype))


def test_bad_arguments():
    x, target = np.zeros((2, 3)), np.array([0, 1])
    with pytest.raises(ShapeError, match=r"^cross_entropy: weight must be \(3,\), got weight.shape=\(2,\)"):
        cross_entropy.cross_entropy_forward(x, target, weight=np.ones(2))
    with pytest.raises(ArgumentError, match=r"^nll_loss: target must be between 0 and 2, got 3"):
        cross_entropy.nll_loss_forward(x, np.array([0, 3]))
    with pytest.raises(ArgumentError, match=r"^loss: weight is for the kind 'logits' only"):
        loss.loss_forward(x, x, "square", weight=np.ones(3))
    with pytest.raises(ArgumentError, match=r"^loss: of_target is for losses that are not of a difference, got kind 'huber'"):
        loss.loss_backward(np.array(1.0), x, x, "huber", 1.0, of_target=True)
