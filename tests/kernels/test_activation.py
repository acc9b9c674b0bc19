"""tests.kernels.test_activation: every activation kernel against the reference; special values in each lane; accuracy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastcnn.errors import ArgumentError
from fastcnn.kernels import activation

from .. import harness
from ..cases import ACTIVATION, LAYOUT_ROWS, LAYOUTS

OPS = ("activation_forward", "activation_backward")
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, 3.0, -3.0, 6.0, 80.0, -80.0, 1e5, -1e5, 3e38, -3e38)
KINDS = {case[0]: case[:3] for case in ACTIVATION.values()}
every_kind = pytest.mark.parametrize("kind", KINDS)


def rows(names=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, names)]


def test_every_kind_has_rows():
    assert list(KINDS) == list(activation.KINDS)


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    harness.check_everywhere(op, impl, ACTIVATION[name])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS["activation"]), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, ACTIVATION[name], layout=layout)


@pytest.mark.parametrize("dtype", harness.DTYPES)
@pytest.mark.parametrize("op", OPS)
@every_kind
def test_special_value_in_each_lane(kind, op, dtype):
    """Vector body and tail alike: each special value at each of 35 places."""
    case = (*KINDS[kind], (35,))
    *arrays, name, p, q = harness.arguments(op, case, dtype)
    for impl in harness.implementations(op):
        for lane in range(35):
            special = [a.copy() for a in arrays]
            for k, value in enumerate(SPECIAL):
                if op == OPS[1] and abs(value) < np.finfo(np.float32).tiny:
                    value = 0.0  # kernels take a denormal for zero, where some gradients jump
                special[-1][(lane + k) % 35] = value if kind not in ("sigmoid", "tanh") or op == OPS[0] else np.tanh(value)
            for isa in harness.ISAS:
                harness.check_arguments(op, impl, case, (*special, name, p, q), isa=isa)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["clamp", "relu6", "hardsigmoid", "hardswish"])
def test_gradient_is_cut_where_the_result_is_constant(kind, value):
    dy, x = np.full(35, value, np.float32), np.full(35, -50, np.float32)
    for impl in harness.implementations(OPS[1]):
        for isa in harness.ISAS:
            (dx,) = harness.call(impl, (dy, x, *KINDS[kind]), isa, 1)
            assert (dx == 0).all()


TRUTH = {
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu": lambda x: x * math.erfc(-x / math.sqrt(2)) / 2,
    "elu": lambda x: x if x > 0 else 1.3 * math.expm1(x),
    "softplus": lambda x: x if 1.5 * x > 2 else math.log1p(math.exp(1.5 * x)) / 1.5,
}


@pytest.mark.parametrize("dtype", harness.DTYPES)
@pytest.mark.parametrize("kind", TRUTH)
def test_relative_error_is_a_few_roundings(kind, dtype):
    """Of the tails too, where sums like 1 + erf would cancel; gelu adds the rounding of x^2 / 2."""
    x = np.concatenate([np.linspace(-4, 4, 1001), 10.0 ** np.linspace(-12, -1, 100)]).astype(dtype)
    want = np.array([TRUTH[kind](float(v)) for v in x])
    for isa in harness.ISAS:
        with harness.machine(isa, 1):
            got = activation.activation_forward(x, *KINDS[kind]).astype(np.float64)
        error = np.abs(got - want) / np.maximum(np.abs(want), 1e-300) / np.finfo(dtype).eps
        assert error.max() < (16 if kind == "gelu" else 4)


def test_unknown_kind():
    with pytest.raises(ArgumentError, match=r"^activation: kind must be one of clamp, .*, softplus, got 'swoosh'"):
        activation.activation_forward(np.ones(3), "swoosh")
