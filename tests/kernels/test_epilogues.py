"""tests.kernels.test_epilogues: what a kernel may do beyond the reference's signature: bounds, residual, schedules."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from .. import harness
from ..cases import CASES, CONV2D_BASIC, CONV2D_BLOCKS, CONV2D_LAYERS
from ..problems import PROBLEMS

ROWS = {
    "conv2d_forward": ("tail", "strided", "depthwise", "grouped", "1x1", "lenet_5x5", "channels_33_31", "vgg_small", "batch_0"),
    "gemm": ("tail", "square", "row", "deep", "empty_k"),
}


def takes(impl, option):
    return impl.compiled and option in inspect.signature(impl.function).parameters


FINISHED = [(op, impl, name) for op in ROWS for impl, name in harness.rows(op, ROWS[op]) if takes(impl, "bounds")]
BOUNDS = {"relu": (0.0, np.inf), "relu6": (0.0, 6.0), "clamp": (-0.5, 0.75)}
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


def added_to(want):
    """A residual in the memory order of the result, of the size of its values."""
    added = np.empty_like(want)
    added[...] = np.random.default_rng(3).standard_normal(want.shape)
    return added


@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize(("op", "impl", "name"), FINISHED, ids=harness.row_id)
def test_bounds_and_residual_in_the_store(op, impl, name, optional):
    case = CASES[op][name]
    for dtype in harness.DTYPES:
        args = harness.arguments(op, case, dtype, optional=optional)
        want = harness.reference(op).function(*args)
        added = added_to(want)
        check_option(op, impl, case, args, want + added, residual=added)
        for low, high in BOUNDS.values():
            check_option(op, impl, case, args, np.clip(want, low, high), bounds=(low, high))
            check_option(op, impl, case, args, np.clip(want + added, low, high), bounds=(low, high), residual=added)


@pytest.mark.parametrize(("op", "impl", "name"), [row for row in FINISHED if row[2] == "tail"], ids=harness.row_id)
def test_bounds_keep_nan(op, impl, name):
    case = CASES[op][name]
    x, *rest = harness.arguments(op, case)
    x = x.copy()
    x.reshape(-1)[:: x.size // 7] = np.nan
    want = np.isnan(harness.reference(op).function(x, *rest))
    for isa in harness.ISAS:
        (got,) = harness.call(impl, (x, *rest), isa, 1, bounds=(0.0, 6.0))
        assert np.isnan(got[want]).all()
        if not harness.is_winograd(impl):
            assert not np.isnan(got[~want]).any()


@pytest.mark.parametrize(("op", "impl", "name"), [row for row in FINISHED if row[2] == "tail"], ids=harness.row_id)
def test_a_residual_in_another_memory_order_and_bad_ones(op, impl, name):
    case = CASES[op][name]
    args = harness.arguments(op, case)
    want = harness.reference(op).function(*args)
    added = added_to(want)
    other = np.asfortranarray(added) if op == "gemm" else np.ascontiguousarray(added)
    check_option(op, impl, case, args, want + added, residual=other)
    for option, error, message in (
        ({"residual": added[:-1]}, ShapeError, "residual must have the shape of the result"),
        ({"residual": added.astype(np.float64)}, DtypeError, "residual must be float32"),
        ({"residual": added.tolist()}, ArgumentError, "residual must be an array"),
        ({"bounds": 6.0}, ArgumentError, r"bounds must be None or \(low, high\), got 6.0"),
        ({"bounds": (1.0, 0.0)}, ArgumentError, "low <= high"),
        ({"bounds": (0.0, np.nan)}, ArgumentError, "low <= high"),
    ):
        with pytest.raises(error, match=message):
            impl.run(*args, **option)


@pytest.mark.parametrize(("op", "impl", "name", "schedule"), SCHEDULES, ids=harness.row_id)
def test_every_schedule(op, impl, name, schedule):
    case = CASES[op][name]
    args = harness.arguments(op, case)
    check_option(op, impl, case, args, harness.reference(op).function(*args), schedule=schedule)
