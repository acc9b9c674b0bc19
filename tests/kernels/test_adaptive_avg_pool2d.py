"""tests.kernels.test_adaptive_avg_pool2d: every adaptive (and global) average-pool kernel against the reference."""

from __future__ import annotations

import numpy as np
import pytest

from .. import harness
from ..cases import ADAPTIVE, CHANNEL_TAILS, LAYOUT_ROWS, LAYOUTS

OPS = ("adaptive_avg_pool2d_forward", "adaptive_avg_pool2d_backward")


def rows(names=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, names)]


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    harness.check_everywhere(op, impl, ADAPTIVE[name])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS["adaptive_avg_pool2d"]), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, ADAPTIVE[name], layout=layout)


@pytest.mark.parametrize("channels", CHANNEL_TAILS)
@pytest.mark.parametrize("op", OPS)
def test_global_of_channel_tails(op, channels):
    for impl in harness.implementations(op):
        for batch in (1, 3):
            harness.check_everywhere(op, impl, ((batch, channels, 7, 6), (1, 1)))


@pytest.mark.parametrize("isa", harness.ISAS)
@pytest.mark.parametrize("op", OPS)
def test_same_bits_for_every_thread_count(op, isa):
    for impl in harness.implementations(op):
        for case in (ADAPTIVE["large"], ADAPTIVE["global_large"]):
            harness.check_threads(op, impl, case, isa=isa)


@pytest.mark.parametrize("op", OPS)
def test_nan_in_each_lane(op):
    for channels in (5, 17, 35):
        case = ((channels, channels, 6, 5), (1, 1))
        first, rest = harness.arguments(op, case)
        poisoned = first.copy()
        poisoned[np.arange(channels), np.arange(channels), -1, 0] = np.nan
        for impl in harness.implementations(op):
            for isa in harness.ISAS:
                harness.check_arguments(op, impl, case, (poisoned, rest), isa=isa, count=2)
