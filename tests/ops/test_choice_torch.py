"""tests.ops.test_choice_torch: maximum, minimum and where against PyTorch: values, gradients, ties, NaN, types."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, ops

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan])
PAIRS = [
    (RNG.integers(-2, 3, (2, 3, 4)).astype(np.float64), RNG.integers(-2, 3, (3, 1)).astype(np.float64)),
    (RNG.standard_normal((4, 5)).astype(np.float32), RNG.standard_normal((4, 5)).astype(np.float32)),
    (SPECIAL[:, None].copy(), SPECIAL.copy()),
]
CONDITION = RNG.random((4, 1)) < 0.5


def gradients(library, function, arrays, dz):
    """Result and gradients of `function` in one of the two libraries, as arrays."""
    if library is torch:
        inputs = [torch.tensor(a, requires_grad=True) for a in arrays]
        y = function(*inputs)
        y.backward(torch.tensor(dz))
        return [y.detach().numpy(), *(x.grad.numpy() for x in inputs)]
    inputs = [Tensor(a, requires_grad=True) for a in arrays]
    y = function(*inputs)
    y.backward(dz)
    return [y.data, *(x.grad.data for x in inputs)]


@pytest.mark.parametrize("name", ["maximum", "minimum"])
@pytest.mark.parametrize("pair", PAIRS, ids=["ties", "normal", "special"])
def test_extremes(name, pair):
    dz = RNG.integers(1, 5, np.broadcast_shapes(*(a.shape for a in pair))).astype(pair[0].dtype)
    ours, theirs = gradients(ops, getattr(ops, name), pair, dz), gradients(torch, getattr(torch, name), pair, dz)
    for got, want in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(got, want, strict=True)


@pytest.mark.parametrize("pair", PAIRS, ids=["ties", "normal", "special"])
def test_where(pair):
    shape = np.broadcast_shapes(*(a.shape for a in pair))
    dz = RNG.integers(1, 5, shape).astype(pair[0].dtype)
    for c in (RNG.random(shape) < 0.5, RNG.random(shape[1:]) < 0.5, RNG.random((*shape[:-1], 1)) < 0.5):
        ours = gradients(ops, lambda x, y, c=c: ops.where(c, x, y), pair, dz)
        theirs = gradients(torch, lambda x, y, c=c: torch.where(torch.tensor(c), x, y), pair, dz)
        for got, want in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(got, want, strict=True)


@pytest.mark.parametrize(
    ("x", "y"), [(1.0, 0), (1, 2), (True, False), (np.ones((4, 1), np.float32), 0.5), (2, np.ones(3, np.int64))]
)
def test_types_of_where(x, y):
    given = [torch.tensor(v) if isinstance(v, np.ndarray) else v for v in (x, y)]
    want = torch.where(torch.tensor(CONDITION), *given).numpy()
    np.testing.assert_array_equal(ops.where(CONDITION, x, y).data, want, strict=True)


def test_methods():
    for function in (lambda x, y: x.where(x > y, y), lambda x, y: x.maximum(y) - x.minimum(y), lambda x, y: x.max(y) * x.min(y)):
        dz = np.ones((2, 3, 4))
        for got, want in zip(gradients(ops, function, PAIRS[0], dz), gradients(torch, function, PAIRS[0], dz), strict=True):
            np.testing.assert_array_equal(got, want, strict=True)


@pytest.mark.parametrize("name", ["max", "min"])
def test_largest_and_least(name):
    x = RNG.permutation(60).reshape(3, 4, 5) - 30.0
    tied = np.array([[2.0, 2, 7], [7, 2, 7]])
    for dim, keepdim in ((0, False), (1, True), (-1, False)):
        function = lambda x, dim=dim, keepdim=keepdim: getattr(x, name)(dim, keepdim).values  # noqa: E731
        dz = np.ones(function(Tensor(x)).shape)
        for got, want in zip(gradients(ops, function, [x], dz), gradients(torch, function, [x], dz), strict=True):
            np.testing.assert_array_equal(got, want, strict=True)
        for arg in (name, "arg" + name):
            ours, theirs = (getattr(t, arg)(dim, keepdim) for t in (Tensor(x), torch.tensor(x)))
            ours, theirs = (ours.indices, theirs.indices) if arg == name else (ours, theirs)
            np.testing.assert_array_equal(ours.data, theirs.numpy(), strict=True)
    for a in (x, tied, np.array([1.0, np.nan, 3.0])):
        whole = lambda x: getattr(x, name)()  # noqa: E731
        for got, want in zip(gradients(ops, whole, [a], np.array(1.0)), gradients(torch, whole, [a], np.array(1.0)), strict=True):
            np.testing.assert_array_equal(got, want)
        assert getattr(ops, "arg" + name)(a).item() == getattr(torch.tensor(a), "arg" + name)().item()
