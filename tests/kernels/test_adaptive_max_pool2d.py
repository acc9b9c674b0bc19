"""tests.kernels.test_adaptive_max_pool2d: every adaptive max-pool kernel against the reference."""

from __future__ import annotations

import numpy as np
import pytest

from .. import harness
from ..cases import ADAPTIVE_MAX, LAYOUT_ROWS, LAYOUTS

OPS = ("adaptive_max_pool2d_forward", "adaptive_max_pool2d_backward")


def rows(names=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, names)]


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    harness.check_everywhere(op, impl, ADAPTIVE_MAX[name])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS["adaptive_max_pool2d"]), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, ADAPTIVE_MAX[name], layout=layout)


@pytest.mark.parametrize("isa", harness.ISAS)
@pytest.mark.parametrize("op", OPS)
def test_same_bits_for_every_thread_count(op, isa):
    for impl in harness.implementations(op):
        for case in (ADAPTIVE_MAX["large"], ADAPTIVE_MAX["global_large"]):
            harness.check_threads(op, impl, case, isa=isa)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_ties_and_special_values(value):
    for case in (((1, 17, 5, 7), (3, 2)), ((2, 3, 4, 4), (3, 3))):
        x = np.full(case[0], value, np.float32)
        x[..., 1, 1] = np.nan
        for impl in harness.implementations(OPS[0]):
            for isa in harness.ISAS:
                harness.check_arguments(OPS[0], impl, case, (x, case[1]), isa=isa, exact=True)
