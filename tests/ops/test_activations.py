"""tests.ops.test_activations: gradients of every activation on every shape, values against their formulas, memory order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastcnn import Tensor, ops
from fastcnn.errors import DtypeError

from ..cases import LAYOUTS, lay
from .draws import SHAPES, channels_last, distinct, gradcheck

_erf = np.vectorize(math.erf, otypes=[float])


def _hard(x):
    return np.clip(x + 3, 0, 6) / 6


# Name: (function, formula). The draws keep away from the kinks at multiples of 0.1.
ROWS = {
    "relu6": (ops.relu6, lambda x: np.clip(x, 0, 6)),
    "leaky_relu": (ops.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)),
    "leaky_relu-0.3": (lambda x: ops.leaky_relu(x, 0.3), lambda x: np.where(x > 0, x, 0.3 * x)),
    "elu": (ops.elu, lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    "elu-2": (lambda x: ops.elu(x, 2.0), lambda x: np.where(x > 0, x, 2 * (np.exp(x) - 1))),
    "sigmoid": (ops.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (ops.tanh, np.tanh),
    "silu": (ops.silu, lambda x: x / (1 + np.exp(-x))),
    "gelu": (ops.gelu, lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2)))),
    "gelu-tanh": (
        lambda x: ops.gelu(x, "tanh"),
        lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    "hardsigmoid": (ops.hardsigmoid, _hard),
    "hardswish": (ops.hardswish, lambda x: x * _hard(x)),
    "softplus": (ops.softplus, lambda x: np.log1p(np.exp(x))),
    "softplus-beta": (lambda x: ops.softplus(x, 2.0, 3.0), lambda x: np.where(2 * x > 3, x, np.log1p(np.exp(2 * x)) / 2)),
    "clamp": (lambda x: ops.clamp(x, -0.5, 1.5), lambda x: np.clip(x, -0.5, 1.5)),
    "abs": (ops.abs, np.abs),
}
every_row = pytest.mark.parametrize("name", ROWS)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@every_row
def test_gradient_and_value(name, shape):
    function, formula = ROWS[name]
    x = 0.9 * distinct(*shape)
    assert gradcheck(function, x, mode="full" if x.size < 20 else "projection")
    np.testing.assert_allclose(function(x).data, formula(x), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("layout", LAYOUTS)
@every_row
def test_every_array_layout(name, layout):
    function, formula = ROWS[name]
    x = Tensor(lay(distinct(2, 3, 4, 5), layout), requires_grad=True)
    y = function(x)
    np.testing.assert_allclose(y.data, formula(x.data), rtol=1e-12, atol=1e-15)
    dy = lay(distinct(2, 3, 4, 5, seed=1), layout)
    y.backward(dy)
    want = Tensor(channels_last(x.data.copy()), requires_grad=True)
    function(want).backward(dy)
    np.testing.assert_array_equal(x.grad.data, want.grad.data)


@every_row
def test_nan_stays_nan(name):
    function, _ = ROWS[name]
    for n in (1, 3, 17, 40):
        assert np.isnan(function(np.full(n, np.nan, np.float32)).data).all()


@pytest.mark.parametrize("name", [name for name in ROWS if name != "abs"])
def test_bad_input(name):
    function, _ = ROWS[name]
    with pytest.raises(DtypeError, match=f"^{name.partition('-')[0]}: x must be float32 or float64, got int64"):
        function(np.ones(3, int))
