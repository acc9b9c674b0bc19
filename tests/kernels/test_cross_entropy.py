"""tests.kernels.test_cross_entropy: every softmax cross-entropy kernel against the reference; extreme logits."""

from __future__ import annotations

import numpy as np
import pytest

from .. import harness
from ..cases import CROSS_ENTROPY, LAYOUT_ROWS, LAYOUTS

OPS = ("cross_entropy_forward", "cross_entropy_backward")
FORWARD = harness.implementations(OPS[0])


def rows(names=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, names)]


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    harness.check_everywhere(op, impl, CROSS_ENTROPY[name])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS["cross_entropy"]), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, CROSS_ENTROPY[name], layout=layout)


@pytest.mark.parametrize(("op", "impl", "name"), rows(("ten", "thousand", "large")), ids=harness.row_id)
def test_same_bits_for_every_thread_count(op, impl, name):
    for isa in harness.ISAS:
        for dtype in harness.DTYPES:
            harness.check_threads(op, impl, CROSS_ENTROPY[name], isa=isa, dtype=dtype)


@pytest.mark.parametrize("impl", FORWARD, ids=harness.row_id)
def test_extreme_logits(impl):
    rows_ = [[1e4, -1e4, 0], [-1e30, 1e30, 3e38], [0, -np.inf, 0], [-3e38, -3e38, -3e38], [1e-40, 0, -1e-40]]
    for dtype in harness.DTYPES:
        logits = np.array(rows_, dtype)
        for target in (0, 1, 2):
            args = (logits, np.full(len(logits), target), 0.0)
            for isa in harness.ISAS:
                harness.check_arguments(OPS[0], impl, (5, 3, 0.0), args, isa=isa, count=2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("impl", FORWARD, ids=harness.row_id)
def test_nan_and_inf_stay_in_their_row(impl, value):
    for classes in (1, 3, 10, 17, 35):
        case = (classes, classes, 0.0)
        logits, target, _ = harness.arguments(OPS[0], case)
        special = logits.copy()
        np.fill_diagonal(special, value)
        for isa in harness.ISAS:
            harness.check_arguments(OPS[0], impl, case, (special, target, 0.0), isa=isa)
