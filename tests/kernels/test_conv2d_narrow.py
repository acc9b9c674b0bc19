"""tests.kernels.test_conv2d_narrow: few channels on one side: rows that are cut, the choice, replays."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.kernels import conv2d_narrow, conv2d_narrow_weight, select
from fastcnn.shapes import conv2d_case

from .. import harness

OPS = ("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight")


def narrow(op):
    return next(impl for impl in select.OPS[op] if impl.name == "narrow")


# What the rules of the standard rows leave out: (x_shape, co, kernel, options)
SHAPES = {
    "kernel_rows_apart": ((1, 3, 19, 9), 4, (3, 4), {"dilation": (2, 1), "stride": (3, 1), "padding": (4, 2)}),
    "gaps_between_windows": ((2, 5, 13, 14), 3, (2, 2), {"stride": (3, 4), "padding": (1, 0)}),
    "rows_without_kernel": ((1, 3, 4, 6), 2, (2, 3), {"padding": (5, 1)}),
    "columns_without_kernel": ((1, 3, 6, 4), 2, (3, 2), {"padding": (1, 6)}),
    "many_columns": ((1, 7, 9, 12), 9, (2, 11), {"padding": (0, 5)}),
    "more_channels_than_lanes": ((1, 4, 8, 16), 21, (3, 3), {"padding": 1}),
    "one_channel": ((3, 1, 12, 40), 1, (7, 7), {"padding": 3}),
    "long_rows": ((1, 2, 5, 700), 5, (3, 5), {"padding": (1, 2)}),
    "deep": ((2, 40, 9, 11), 3, (3, 3), {"padding": 1}),
    "shallow": ((2, 1, 16, 19), 6, (5, 5), {"padding": 2}),
    "shallow_strided_rows": ((1, 2, 15, 21), 5, (4, 3), {"padding": 1, "stride": (2, 1)}),
    "wide_stride": ((2, 3, 11, 24), 6, (5, 5), {"stride": 2, "padding": 2}),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("op", OPS)
def test_equals_reference(op, name):
    shape, co, kernel, options = SHAPES[name]
    case = conv2d_case(shape, (co, shape[1], *kernel), **options)
    if narrow(op).accepts(*harness.arguments(op, case)):
        harness.check_everywhere(op, narrow(op), case)
    for isa in harness.ISAS:
        for dtype in harness.DTYPES:
            if narrow(op).accepts(*harness.arguments(op, case, dtype)):
                harness.check_threads(op, narrow(op), case, isa=isa, dtype=dtype)


def test_every_shape_runs_somewhere():
    for name, (shape, co, kernel, options) in SHAPES.items():
        case = conv2d_case(shape, (co, shape[1], *kernel), **options)
        assert any(narrow(op).accepts(*harness.arguments(op, case)) for op in OPS), name


# (x_shape, co, kernel, options) -> where it is chosen with vectors of 16: measured with vectors of 16 floats
CHOSEN = [
    ((64, 6, 14, 14), 16, 5, {}, {"conv2d_backward_data"}),
    ((64, 1, 28, 28), 6, 5, {"padding": 2}, set(OPS)),
    ((16, 32, 56, 56), 3, 3, {"padding": 1}, {"conv2d_forward"}),
    ((32, 8, 32, 32), 8, 3, {"padding": 1}, set(OPS)),
    ((2, 64, 28, 28), 64, 3, {"padding": 1}, set()),
]


@pytest.mark.skipif("avx512" not in harness.ISAS, reason="the estimates depend on the lanes of a vector; measured on avx512")
@pytest.mark.parametrize(("shape", "co", "k", "options", "ops"), CHOSEN)
def test_chosen_where_it_was_faster(shape, co, k, options, ops):
    case = conv2d_case(shape, (co, shape[1], k, k), **options)
    zero = np.zeros((), np.float32)
    x, w, dy = (np.broadcast_to(zero, s) for s in (case.x_shape, case.w_shape, case.y_shape))
    args = {"conv2d_forward": (x, w, None, case), "conv2d_backward_data": (dy, w, case), "conv2d_backward_weight": (dy, x, case)}
    with harness.machine("avx512", 2):
        assert {op for op in OPS if select.choose(op, args[op]).name == "narrow"} == ops


def test_the_estimate_needs_pixels():
    case = conv2d_case((0, 3, 6, 6), (4, 3, 3, 3), padding=1)
    assert all(conv2d_narrow.gain(case, op, 4) == 0 for op in OPS[:2])
    assert conv2d_narrow_weight.gain(case, 4) == 0


def test_denormals_are_zero_in_every_thread():
    case = conv2d_case((32, 6, 16, 16), (4, 6, 3, 3), padding=1)
    x, w = np.full(case.x_shape, 1e-39, np.float32), np.ones(case.w_shape, np.float32)
    assert not narrow("conv2d_forward").function(x, w, None, case, threads=2).any()
