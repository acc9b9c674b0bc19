"""tests.kernels.test_adaptive_max_pool2d: every adaptive max-pool kernel against the reference."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import kernels
from fastcnn.kernels import elementwise, entry

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


def test_a_replay_finds_its_tables_again():
    """Arrays that died before in the step had the memory of the tables, which a replay writes anew."""
    x, large = np.random.default_rng(0).standard_normal((2, 16, 40, 40), np.float32), np.full(64, 1e30, np.float32)

    def step():
        earlier = [elementwise.add(large[:size], np.float32(1)) for size in range(4, 65, 4) for _ in range(8)]
        del earlier
        y, index = kernels.adaptive_max_pool2d_forward(x, (2, 3))
        return kernels.adaptive_max_pool2d_backward(y, index, x.shape)

    recording = entry.Recording()
    recording.start()
    dx = step()
    recording.stop()
    x[...] = np.random.default_rng(1).standard_normal(x.shape)
    recording.replay()
    np.testing.assert_array_equal(dx, step())
