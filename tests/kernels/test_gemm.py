"""tests.kernels.test_gemm: every matrix product kernel, ISA and thread count against the reference."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.kernels.conv2d_direct import conv2d_direct_forward
from fastcnn.reference import conv2d as reference
from fastcnn.shapes import conv2d_case

from .. import harness
from ..cases import GEMM, LAYOUT_ROWS, LAYOUTS

OP = "gemm"
IMPLEMENTATIONS = harness.implementations(OP)


@pytest.mark.parametrize(("impl", "name"), harness.rows(OP), ids=harness.row_id)
def test_equals_reference(impl, name):
    for optional in (True, False):
        harness.check_everywhere(OP, impl, GEMM[name], optional=optional)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("impl", "name"), harness.rows(OP, LAYOUT_ROWS[OP]), ids=harness.row_id)
def test_every_array_layout(impl, name, layout):
    harness.check_everywhere(OP, impl, GEMM[name], layout=layout)


@pytest.mark.parametrize("transposed", ["a", "b", "ab"])
@pytest.mark.parametrize(
    ("impl", "name"), harness.rows(OP, ("square", "tail", "deep", "linear", "4_kib_rows", "m_17", "n_33")), ids=harness.row_id
)
def test_transposed_operands(impl, name, transposed):
    a, b, bias = harness.arguments(OP, GEMM[name], values="integer")
    a = np.ascontiguousarray(a.T).T if "a" in transposed else a
    b = np.ascontiguousarray(b.T).T if "b" in transposed else b
    for isa in harness.ISAS:
        for count in (1, 2):
            harness.check_arguments(OP, impl, GEMM[name], (a, b, bias), isa=isa, count=count, exact=True)


@pytest.mark.parametrize("isa", harness.ISAS)
@pytest.mark.parametrize(
    ("impl", "name"),
    harness.rows(OP, ("square", "tall", "wide", "deep", "deep_block", "linear", "blocks_of_rows", "4_kib_rows")),
    ids=harness.row_id,
)
def test_same_bits_for_every_thread_count(impl, name, isa):
    for dtype in harness.DTYPES:
        harness.check_threads(OP, impl, GEMM[name], isa=isa, dtype=dtype)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("impl", IMPLEMENTATIONS, ids=harness.row_id)
def test_nan_and_inf_in_each_lane(impl, value):
    case = (35, 37, 67)
    drawn = harness.arguments(OP, case)
    for operand in (0, 1):
        for lane in range(case[1]):
            args = [a.copy() for a in drawn]
            # element (lane, lane) of A spoils row `lane`, of B column `lane`, whatever is beside it
            args[operand][lane % args[operand].shape[0], lane] = value
            for isa in harness.ISAS:
                harness.check_arguments(OP, impl, case, tuple(args), isa=isa)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS, ids=harness.row_id)
def test_broadcast_operands(impl):
    case = (9, 20, 33)
    a, b, bias = harness.arguments(OP, case)
    for isa in harness.ISAS:
        harness.check_arguments(OP, impl, case, (np.broadcast_to(a[:, :1], a.shape), b, bias), isa=isa)
        harness.check_arguments(OP, impl, case, (a, np.broadcast_to(b[:1], b.shape), bias), isa=isa)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS, ids=harness.row_id)
def test_same_array_on_both_sides(impl):
    (a, _, _), case = harness.arguments(OP, (31, 31, 31), values="integer"), (31, 31, 31)
    harness.check_arguments(OP, impl, case, (a, a, None), exact=True)
    harness.check_arguments(OP, impl, case, (a, a.T, None), exact=True)


@pytest.mark.parametrize("rows", range(1, 31))
def test_rows_that_meet_in_one_cache_set(rows):
    rng = np.random.default_rng(rows)
    a, b = rng.integers(-4, 5, (rows, 1024)).astype(np.float32), rng.integers(-4, 5, (1024, 70)).astype(np.float32)
    for impl in harness.implementations("gemm"):
        for isa in harness.ISAS:
            (got,) = harness.call(impl, (a, b), isa, 2)
            np.testing.assert_array_equal(got, a @ b)
    case = conv2d_case((1, 1024, rows, 1), (70, 1024, 1, 1))
    x, moments = np.ascontiguousarray(a.reshape(1, rows, 1, 1024)).transpose(0, 3, 1, 2), np.empty((2, 70))
    y = conv2d_direct_forward(x, np.ascontiguousarray(b.T).reshape(70, 1024, 1, 1), None, case, moments=moments, threads=2)
    np.testing.assert_array_equal(y[0, :, :, 0].T, a @ b)
    np.testing.assert_allclose(moments, reference.moments(y), rtol=1e-5, atol=1e-4)
