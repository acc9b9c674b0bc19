"""tests.kernels.test_avg_pool2d: every average-pool kernel against the reference."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.shapes import pool2d_case

from .. import harness
from ..cases import LAYOUT_ROWS, LAYOUTS, POOL2D

OPS = ("avg_pool2d_forward", "avg_pool2d_backward")


def rows(names=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, names)]


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    harness.check_everywhere(op, impl, POOL2D[name])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS["avg_pool2d"]), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, POOL2D[name], layout=layout)


@pytest.mark.parametrize(("op", "impl", "name"), rows(("large", "resnet_stem", "whole_image")), ids=harness.row_id)
def test_same_bits_for_every_thread_count(op, impl, name):
    for isa in harness.ISAS:
        harness.check_threads(op, impl, POOL2D[name], isa=isa)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("channels", [1, 5, 17, 35])
@pytest.mark.parametrize("op", OPS)
def test_nan_and_inf_in_each_lane(op, channels, value):
    case = pool2d_case((channels, channels, 5, 5), 3, 2, 1)
    first, *rest = harness.arguments(op, case)
    poisoned = first.copy()
    poisoned[np.arange(channels), np.arange(channels), 1, 2] = value
    for impl in harness.implementations(op):
        for isa in harness.ISAS:
            harness.check_arguments(op, impl, case, (poisoned, *rest), isa=isa, count=2)


@pytest.mark.parametrize("impl", harness.implementations(OPS[1]), ids=harness.row_id)
def test_broadcast_gradient(impl):
    case = POOL2D["ceil_mode_padded"]
    for isa in harness.ISAS:
        args = (np.broadcast_to(np.float32(0.5), case.y_shape), case)
        harness.check_arguments(OPS[1], impl, case, args, isa=isa, count=2)
