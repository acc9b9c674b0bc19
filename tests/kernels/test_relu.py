"""tests.kernels.test_relu: every ReLU kernel against the reference; special values in each lane."""

from __future__ import annotations

import numpy as np
import pytest

from .. import harness
from ..cases import LAYOUT_ROWS, LAYOUTS, RELU

OPS = ("relu_forward", "relu_backward")
SPECIAL = (np.nan, np.inf, -np.inf, -0.0, 1e-40, -1e-40)


def rows(names=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, names)]


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    harness.check_everywhere(op, impl, RELU[name])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS["relu"]), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, RELU[name], layout=layout)


@pytest.mark.parametrize("value", SPECIAL)
@pytest.mark.parametrize("impl", harness.implementations(OPS[0]), ids=harness.row_id)
def test_special_value_in_each_lane(impl, value):
    x = harness.arguments(OPS[0], (35,))[0]
    for lane in range(x.size):
        special = x.copy()
        special[lane] = value
        for isa in harness.ISAS:
            harness.check_arguments(OPS[0], impl, x.shape, (special,), isa=isa, exact=True)


@pytest.mark.parametrize("value", SPECIAL)
@pytest.mark.parametrize("impl", harness.implementations(OPS[1]), ids=harness.row_id)
def test_special_gradient_in_each_lane(impl, value):
    """A gradient behind a zero is cut, also when it is NaN or infinite; behind a positive value it passes."""
    dy, y = harness.arguments(OPS[1], (35,))
    for lane in range(dy.size):
        special = dy.copy()
        special[lane] = value
        for isa in harness.ISAS:
            harness.check_arguments(OPS[1], impl, dy.shape, (special, y), isa=isa, exact=True)


@pytest.mark.parametrize("impl", harness.implementations(OPS[1]), ids=harness.row_id)
def test_gradient_behind_nan_passes(impl):
    dy, y = harness.arguments(OPS[1], (35,))
    for lane in range(dy.size):
        special = y.copy()
        special[lane] = np.nan
        for isa in harness.ISAS:
            harness.check_arguments(OPS[1], impl, dy.shape, (dy, special), isa=isa, exact=True)
