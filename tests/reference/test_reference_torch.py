"""tests.reference.test_reference_torch: the reference against PyTorch, where that is installed."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.kernels import select

from .. import harness
from ..cases import ADAPTIVE, BATCH_NORM, CONV2D, CROSS_ENTROPY, GROUP_NORM, LAYER_NORM, MAX_POOL2D, POOL2D

torch = pytest.importorskip("torch")
F = torch.nn.functional
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def run(op, *args):
    return harness.reference(op).function(*args)


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def leaves(*arrays):
    return [torch.tensor(a, requires_grad=True) for a in arrays]


def same(got, want):
    np.testing.assert_allclose(got, want.detach().numpy(), **CLOSE)


@pytest.mark.parametrize("name", CONV2D)
def test_conv2d(name):
    c = CONV2D[name]
    x, w, b = leaves(normal(c.x_shape), normal(c.w_shape, 1), normal(c.co, 2))
    dy = torch.tensor(normal(c.y_shape, 3))
    padded = F.pad(x, (c.pl, c.pr, c.pt, c.pb))
    y = F.conv2d(padded, w, b, stride=(c.sh, c.sw), dilation=(c.dh, c.dw), groups=c.groups)
    y.backward(dy)
    x_, w_, b_, dy_ = (t.detach().numpy() for t in (x, w, b, dy))
    same(run("conv2d_forward", x_, w_, b_, c), y)
    same(run("conv2d_backward_data", dy_, w_, c), x.grad)
    same(run("conv2d_backward_weight", dy_, x_, c), w.grad)
    same(run("conv2d_backward_bias", dy_), b.grad)


@pytest.mark.parametrize("values", ["real", "ties", "nan"])
@pytest.mark.parametrize("name", MAX_POOL2D)
def test_max_pool2d(name, values):
    c = MAX_POOL2D[name]
    a = normal(c.x_shape) if values == "real" else np.round(normal(c.x_shape))
    if values == "nan":
        a[np.random.default_rng(1).random(a.shape) < 0.2] = np.nan
    (x,) = leaves(a)
    ceil = (c.oh - 1) * c.sh + (c.kh - 1) * c.dh >= c.ih + 2 * c.ph or (c.ow - 1) * c.sw + (c.kw - 1) * c.dw >= c.iw + 2 * c.pw
    y, flat = F.max_pool2d(x, (c.kh, c.kw), (c.sh, c.sw), (c.ph, c.pw), (c.dh, c.dw), ceil_mode=ceil, return_indices=True)
    assert y.shape == c.y_shape
    dy = normal(c.y_shape, 2)
    y.backward(torch.tensor(dy))
    got, index = run("max_pool2d_forward", a, c)
    same(got, y)
    r, s = np.divmod(index.astype(int), c.kw)
    i = np.arange(c.oh)[:, None] * c.sh - c.ph + r * c.dh
    j = np.arange(c.ow) * c.sw - c.pw + s * c.dw
    np.testing.assert_array_equal(i * c.iw + j, flat.numpy())
    same(run("max_pool2d_backward", dy, index, c), x.grad)


@pytest.mark.parametrize("name", POOL2D)
def test_avg_pool2d(name):
    c = POOL2D[name]
    (x,) = leaves(normal(c.x_shape))
    ceil = (c.oh - 1) * c.sh + c.kh > c.ih + 2 * c.ph or (c.ow - 1) * c.sw + c.kw > c.iw + 2 * c.pw
    y = F.avg_pool2d(x, (c.kh, c.kw), (c.sh, c.sw), (c.ph, c.pw), ceil, c.count_include_pad)
    dy = normal(c.y_shape, 1)
    y.backward(torch.tensor(dy))
    same(run("avg_pool2d_forward", x.detach().numpy(), c), y)
    same(run("avg_pool2d_backward", dy, c), x.grad)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_adaptive_avg_pool2d(name):
    shape, out = ADAPTIVE[name]
    (x,) = leaves(normal(shape))
    y = F.adaptive_avg_pool2d(x, out)
    dy = normal((*shape[:2], *out), 1)
    y.backward(torch.tensor(dy))
    same(run("adaptive_avg_pool2d_forward", x.detach().numpy(), out), y)
    same(run("adaptive_avg_pool2d_backward", dy, shape), x.grad)


@pytest.mark.parametrize("name", [name for name, shape in BATCH_NORM.items() if np.prod(shape) / shape[1] > 1])
def test_batch_norm(name):
    shape = BATCH_NORM[name]
    x, weight, bias = leaves(normal(shape), normal(shape[1], 1), normal(shape[1], 2))
    running_mean, running_var = torch.zeros(shape[1], dtype=torch.float64), torch.ones(shape[1], dtype=torch.float64)
    y = F.batch_norm(x, running_mean, running_var, weight, bias, training=True, momentum=1.0)
    dy = normal(shape, 3)
    y.backward(torch.tensor(dy))
    x_, weight_, bias_ = (t.detach().numpy() for t in (x, weight, bias))
    got, mean, var = run("batch_norm_forward", x_, weight_, bias_, 1e-5)
    same(got, y)
    same(mean, running_mean)
    n = x_.size / shape[1]
    same(var * n / (n - 1), running_var)
    dx, dweight, dbias = run("batch_norm_backward", dy, x_, weight_, mean, var, 1e-5)
    for g, t in ((dx, x), (dweight, weight), (dbias, bias)):
        same(g, t.grad)
    inference = F.batch_norm(x, running_mean, running_var, weight, bias)
    same(run("batch_norm_inference", x_, weight_, bias_, running_mean.numpy(), running_var.numpy(), 1e-5), inference)


@pytest.mark.parametrize("op", ["group_norm", "layer_norm"])
@pytest.mark.parametrize("number", range(6))
def test_norms_of_groups(op, number):
    table = {"group_norm": GROUP_NORM, "layer_norm": LAYER_NORM}[op]
    shape, groups = list(table.values())[number]
    x, weight, bias = leaves(normal(shape), normal(shape[1], 1), normal(shape[1], 2))
    y = F.group_norm(x, groups, weight, bias) if np.prod(shape) > shape[0] * groups else bias + 0 * x * weight
    dy = normal(shape, 3)
    y.backward(torch.tensor(dy))
    x_, weight_, bias_ = (t.detach().numpy() for t in (x, weight, bias))
    rest = (groups, weight_, bias_, 1e-5) if op == "group_norm" else (weight_, bias_, 1e-5, groups)
    got, mean, rstd = run(f"{op}_forward", x_, *rest)
    same(got, y)
    rest = (groups, weight_, mean, rstd) if op == "group_norm" else (weight_, mean, rstd, groups)
    for g, t in zip(run(f"{op}_backward", dy, x_, *rest), (x, weight, bias), strict=True):
        same(g, t.grad)


@pytest.mark.parametrize("name", CROSS_ENTROPY)
def test_cross_entropy(name):
    samples, classes, smoothing = CROSS_ENTROPY[name]
    (logits,) = leaves(3 * normal((samples, classes)))
    target = np.random.default_rng(1).integers(0, classes, samples)
    loss = F.cross_entropy(logits, torch.tensor(target), reduction="none", label_smoothing=smoothing)
    dloss = normal(samples, 2)
    loss.backward(torch.tensor(dloss))
    got, probs = run("cross_entropy_forward", logits.detach().numpy(), target, smoothing)
    same(got, loss)
    same(run("cross_entropy_backward", dloss, probs, target, smoothing), logits.grad)


def test_every_op_has_a_reference():
    assert all(harness.reference(op) for op in select.OPS)
