"""tests.reference.test_reference_rest: gemm, relu, the norms, cross_entropy and layout by definition and by differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastcnn.reference import precision
from fastcnn.reference.batch_norm import batch_norm_backward, batch_norm_forward, batch_norm_inference
from fastcnn.reference.cross_entropy import cross_entropy_backward, cross_entropy_forward
from fastcnn.reference.gemm import gemm
from fastcnn.reference.group_norm import group_norm_backward, group_norm_forward
from fastcnn.reference.layout import to_channels_last, to_contiguous
from fastcnn.reference.relu import relu_backward, relu_forward

from ..cases import BATCH_NORM, CROSS_ENTROPY, GEMM

EPS = 1e-5


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def numeric_gradient(f, x, step=1e-6):
    """Central differences of the scalar function `f` in each element of `x`."""
    g = np.empty_like(x)
    for at in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[at] += step
        down[at] -= step
        g[at] = (f(up) - f(down)) / (2 * step)
    return g


@pytest.mark.parametrize("name", [name for name, (m, k, n) in GEMM.items() if m * k * n < 20_000])
def test_gemm_equals_loops(name):
    m, k, n = GEMM[name]
    rng = np.random.default_rng(0)
    a, b, bias = rng.integers(-9, 10, (m, k)), rng.integers(-9, 10, (k, n)), rng.integers(-9, 10, n)
    want = [[int(bias[j]) + sum(int(a[i, t]) * int(b[t, j]) for t in range(k)) for j in range(n)] for i in range(m)]
    np.testing.assert_array_equal(gemm(a, b, bias), np.array(want, int).reshape(m, n))
    np.testing.assert_array_equal(gemm(a, b), gemm(a, b, bias) - bias)
    np.testing.assert_array_equal(gemm(b.T, a.T), gemm(a, b).T)


def test_gemm_keeps_float32():
    assert gemm(np.ones((2, 3), np.float32), np.ones((3, 2), np.float32)).dtype == np.float32


def test_relu():
    x = np.array([-math.inf, -1, -0.0, 0, 1e-40, 2, math.inf, math.nan], np.float32)
    np.testing.assert_array_equal(relu_forward(x), [0, 0, 0, 0, np.float32(1e-40), 2, math.inf, math.nan])
    np.testing.assert_array_equal(relu_backward(np.full(8, 3, np.float32), relu_forward(x)), [0, 0, 0, 0, 3, 3, 3, 3])


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (2, 3, 4, 5), (1, 2, 3, 4, 5), (0, 3)])
def test_relu_keeps_the_shape(shape):
    x = np.asarray(normal(shape))
    assert relu_forward(x).shape == shape and relu_backward(x, relu_forward(x)).shape == shape


@pytest.mark.parametrize("name", BATCH_NORM)
def test_batch_norm_statistics(name):
    shape = BATCH_NORM[name]
    x, weight, bias = 3 + 2 * normal(shape), normal(shape[1], 1), normal(shape[1], 2)
    y, mean, var = batch_norm_forward(x, weight, bias, EPS)
    for c in range(shape[1]):
        values = [float(v) for v in x[:, c].ravel()]
        m = math.fsum(values) / len(values) if values else 0
        v = math.fsum((a - m) ** 2 for a in values) / len(values) if values else 0
        assert mean[c] == pytest.approx(m, rel=1e-12, abs=1e-12) and var[c] == pytest.approx(v, rel=1e-12, abs=1e-12)
        want = [weight[c] * (a - m) / math.sqrt(v + EPS) + bias[c] for a in values]
        np.testing.assert_allclose(y[:, c].ravel(), want, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(batch_norm_inference(x, weight, bias, mean, var, EPS), y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 2, 2, 3), (5, 3)])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_gradients(shape, affine):
    x, dy = normal(shape), normal(shape, 1)
    weight, bias = (normal(shape[1], 2), normal(shape[1], 3)) if affine else (None, None)

    def loss(x, weight=weight, bias=bias):
        return (dy * batch_norm_forward(x, weight, bias, EPS)[0]).sum()

    _, mean, var = batch_norm_forward(x, weight, bias, EPS)
    dx, dweight, dbias = batch_norm_backward(dy, x, weight, mean, var, EPS)
    np.testing.assert_allclose(dx, numeric_gradient(loss, x), rtol=1e-6, atol=1e-7)
    if affine:
        np.testing.assert_allclose(dweight, numeric_gradient(lambda w: loss(x, weight=w), weight), rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(dbias, numeric_gradient(lambda b: loss(x, bias=b), bias), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("shape", [(3, 4, 2, 3), (5, 8)])
def test_group_norm_is_batch_norm_of_groups(shape, groups):
    x, weight, bias = 3 + 2 * normal(shape), normal(shape[1], 1), normal(shape[1], 2)
    y, mean, rstd = group_norm_forward(x, groups, weight, bias, EPS)
    turned = np.moveaxis(x.reshape(shape[0] * groups, -1), 0, 1)  # values of a group x groups of all images
    want, want_mean, want_var = batch_norm_forward(turned, None, None, EPS)
    along = (-1, 1, 1)[: len(shape) - 1]
    want = want.T.reshape(shape) * weight.reshape(along) + bias.reshape(along)
    np.testing.assert_allclose(y, want, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(mean.ravel(), want_mean, rtol=1e-12)
    np.testing.assert_allclose(rstd.ravel(), 1 / np.sqrt(want_var + EPS), rtol=1e-12)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(3, 4, 2, 3), (5, 8)])
def test_group_norm_gradients(shape, affine):
    x, dy = normal(shape), normal(shape, 1)
    weight, bias = (normal(shape[1], 2), normal(shape[1], 3)) if affine else (None, None)

    def loss(x, weight=weight, bias=bias):
        return (dy * group_norm_forward(x, 2, weight, bias, EPS)[0]).sum()

    _, mean, rstd = group_norm_forward(x, 2, weight, bias, EPS)
    dx, dweight, dbias = group_norm_backward(dy, x, 2, weight, mean, rstd)
    np.testing.assert_allclose(dx, numeric_gradient(loss, x), rtol=1e-6, atol=1e-7)
    if affine:
        np.testing.assert_allclose(dweight, numeric_gradient(lambda w: loss(x, weight=w), weight), rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(dbias, numeric_gradient(lambda b: loss(x, bias=b), bias), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", CROSS_ENTROPY)
def test_cross_entropy_equals_loops(name):
    samples, classes, smoothing = CROSS_ENTROPY[name]
    logits, target = 3 * normal((samples, classes)), np.random.default_rng(1).integers(0, classes, samples)
    loss, probs = cross_entropy_forward(logits, target, smoothing)
    for n in range(samples):
        e = [math.exp(v) for v in logits[n]]
        p = [v / math.fsum(e) for v in e]
        q = [smoothing / classes + (1 - smoothing) * (k == target[n]) for k in range(classes)]
        np.testing.assert_allclose(probs[n], p, rtol=1e-12)
        assert loss[n] == pytest.approx(-math.fsum(b * math.log(a) for a, b in zip(p, q, strict=True)), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_gradient(smoothing):
    logits, target, dloss = normal((4, 5)), np.array([0, 4, 2, 2]), normal(4, 1)
    _, probs = cross_entropy_forward(logits, target, smoothing)
    want = numeric_gradient(lambda a: (dloss * cross_entropy_forward(a, target, smoothing)[0]).sum(), logits)
    np.testing.assert_allclose(cross_entropy_backward(dloss, probs, target, smoothing), want, rtol=1e-6, atol=1e-8)


def test_cross_entropy_of_extreme_logits():
    logits = np.array([[1e4, -1e4], [-1e30, 1e30], [0, -math.inf]], np.float32)
    loss, probs = cross_entropy_forward(logits, np.array([0, 1, 0]))
    np.testing.assert_array_equal(loss, 0)
    np.testing.assert_array_equal(probs, [[1, 0], [0, 1], [1, 0]])


def test_layout_changes_memory_only():
    x = normal((2, 3, 4, 5))
    last = to_channels_last(x)
    assert last.shape == x.shape and last.transpose(0, 2, 3, 1).flags.c_contiguous
    back = to_contiguous(last)
    assert back.flags.c_contiguous
    np.testing.assert_array_equal(back, x)


def test_narrow_overflows_quietly():
    assert np.isinf(precision.narrow(np.array([1e300]), np.float32)).all()
