"""tests.nn.test_utils_torch: limits to gradients equal to PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, nn

torch = pytest.importorskip("torch")


def both(dtype):
    rng = np.random.default_rng(0)
    gradients = [rng.standard_normal(shape).astype(dtype) for shape in ((4, 3, 3, 3), (7,), (40, 500))]
    ours = [Tensor(np.zeros_like(g), requires_grad=True) for g in gradients]
    theirs = [torch.zeros(g.shape, dtype=getattr(torch, dtype), requires_grad=True) for g in gradients]
    for p, q, g in zip(ours, theirs, gradients, strict=True):
        p.grad, q.grad = Tensor(g.copy()), torch.from_numpy(g.copy())
    return ours, theirs


def assert_alike(ours, theirs, rtol):
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=rtol)


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("norm_type", [2.0, 1, 3.0, float("inf")])
@pytest.mark.parametrize("max_norm", [0.0, 0.5, 1e9])
def test_norm(dtype, rtol, norm_type, max_norm):
    ours, theirs = both(dtype)
    got = nn.utils.clip_grad_norm_(ours, max_norm, norm_type)
    want = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    assert got.item() == pytest.approx(want.item(), rel=rtol)
    assert_alike(ours, theirs, rtol)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("value", [0.0, 0.3, 10])
def test_value(dtype, value):
    ours, theirs = both(dtype)
    nn.utils.clip_grad_value_(ours, value)
    torch.nn.utils.clip_grad_value_(theirs, value)
    assert_alike(ours, theirs, 0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("norm_type", [2.0, float("inf")])
def test_non_finite(value, norm_type):
    ours, theirs = both("float64")
    ours[1].grad.data[2] = value
    theirs[1].grad[2] = value
    nn.utils.clip_grad_norm_(ours, 1.0, norm_type)
    torch.nn.utils.clip_grad_norm_(theirs, 1.0, norm_type)
    assert_alike(ours, theirs, 0)
