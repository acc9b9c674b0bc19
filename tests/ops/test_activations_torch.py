"""tests.ops.test_activations_torch: activations and their gradients against PyTorch, at special values too."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn.nn.functional as F
from fastcnn import Tensor

torch = pytest.importorskip("torch")
TF = torch.nn.functional

ROWS = [
    ("relu6", {}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.3}),
    ("elu", {}),
    ("elu", {"alpha": 1.7}),
    ("sigmoid", {}),
    ("tanh", {}),
    ("silu", {}),
    ("gelu", {}),
    ("gelu", {"approximate": "tanh"}),
    ("hardsigmoid", {}),
    ("hardswish", {}),
    ("softplus", {}),
    ("softplus", {"beta": 2.0, "threshold": 3.0}),
]
ids = [f"{name}-{options}" for name, options in ROWS]
# PyTorch's vector body and its tail disagree about the gradient behind NaN.
UNDECIDED = ("relu6", "elu", "hardswish")
# PyTorch's gradient of hardsigmoid is a float32 nearest to 1 / 6, in float64 too.
TOLERANCE = {"hardsigmoid": 1e-7}
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 3.0, -3.0, 6.0, 1e-30, -1e-30)


def both(name, options, x):
    """(result, gradient) of ours and of PyTorch's."""
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = getattr(F, name)(a, **options), getattr(TF, name)(b, **options)
    y.backward(np.ones_like(x))
    z.backward(torch.ones_like(b))
    return (y.data, a.grad.data), (z.detach().numpy(), b.grad.numpy())


@pytest.mark.parametrize(("name", "options"), ROWS, ids=ids)
def test_values_and_gradients(name, options):
    ours, theirs = both(name, options, np.random.default_rng(0).standard_normal(999) * 4)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=TOLERANCE.get(name, 1e-11), atol=1e-14)


@pytest.mark.parametrize("size", [1, 40])
@pytest.mark.parametrize(("name", "options"), ROWS, ids=ids)
def test_special_values(name, options, size):
    """The kinks and NaN go where PyTorch sends them, in full vectors and in tails."""
    for value in SPECIAL:
        ours, theirs = both(name, options, np.full(size, value))
        np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
        if not (np.isnan(value) and name in UNDECIDED):
            np.testing.assert_allclose(ours[1], theirs[1], rtol=TOLERANCE.get(name, 1e-12))
