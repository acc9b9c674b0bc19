"""tests.kernels.test_epilogues: what a compiled kernel may do beyond the reference's signature: ReLU in the store, schedules."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from .. import harness
from ..cases import CASES, CONV2D_BASIC, CONV2D_BLOCKS, CONV2D_LAYERS
from ..problems import PROBLEMS

ROWS = {
    "conv2d_forward": ("tail", "strided", "depthwise", "grouped", "1x1", "lenet_5x5", "channels_33_31", "vgg_small", "batch_0"),
    "gemm": ("tail", "square", "row", "deep", "empty_k"),
}


def takes(impl, option):
    return impl.compiled and option in inspect.signature(impl.function).parameters


RELU = [(op, impl, name) for op in ROWS for impl, name in harness.rows(op, ROWS[op]) if takes(impl, "relu")]
SCHEDULES = [
    (op, impl, name, schedule)
    for op in ("conv2d_forward", "conv2d_backward_data")
    for impl, name in harness.rows(op, [*CONV2D_BASIC, *CONV2D_LAYERS, *CONV2D_BLOCKS])
    if takes(impl, "schedule")
    for schedule in ("fused", "stationary")
]


def check_option(op, impl, case, args, want, **options):
    for isa in harness.ISAS:
        for count in (1, 2):
            got = harness.call(impl, args, isa, count, **options)
            problem = PROBLEMS[op]
            length = problem.length(case)
            scale = problem.scale(length, *args)
            dtype, winograd = args[0].dtype.name, harness.is_winograd(impl)
            harness.compare(op, got, (want,), dtype=dtype, length=length, exact=False, scale=scale, winograd=winograd)


@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize(("op", "impl", "name"), RELU, ids=harness.row_id)
def test_relu_in_the_store(op, impl, name, optional):
    case = CASES[op][name]
    for dtype in harness.DTYPES:
        args = harness.arguments(op, case, dtype, optional=optional)
        want = harness.reference(op).function(*args)
        check_option(op, impl, case, args, np.maximum(want, 0), relu=True)


@pytest.mark.parametrize(("op", "impl", "name"), [row for row in RELU if row[2] == "tail"], ids=harness.row_id)
def test_relu_in_the_store_keeps_nan(op, impl, name):
    case = CASES[op][name]
    x, *rest = harness.arguments(op, case)
    x = x.copy()
    x.reshape(-1)[:: x.size // 7] = np.nan
    want = np.isnan(harness.reference(op).function(x, *rest))
    for isa in harness.ISAS:
        (got,) = harness.call(impl, (x, *rest), isa, 1, relu=True)
        assert np.isnan(got[want]).all()
        if not harness.is_winograd(impl):
            assert not np.isnan(got[~want]).any()


@pytest.mark.parametrize(("op", "impl", "name", "schedule"), SCHEDULES, ids=harness.row_id)
def test_every_schedule(op, impl, name, schedule):
    case = CASES[op][name]
    args = harness.arguments(op, case)
    check_option(op, impl, case, args, harness.reference(op).function(*args), schedule=schedule)
