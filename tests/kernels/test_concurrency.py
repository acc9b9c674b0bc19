"""tests.kernels.test_concurrency: many Python threads call kernels at once and get what one after the other gets."""

from __future__ import annotations

import ctypes
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastcnn.kernels import columns, relu

from .. import fuzz, harness
from ..cases import CONV2D_LAYERS, GEMM
from ..problems import PROBLEMS

CALLERS = 8
ROUNDS = max(3, fuzz.count() // 100)


def calls():
    """(implementation, arguments) of every compiled kernel on cases of several sizes."""
    tables = {"gemm": ("deep", "wide", "linear", "tail"), "conv2d": tuple(CONV2D_LAYERS)}
    assert set(tables["gemm"]) <= set(GEMM)
    for op in PROBLEMS:
        names = tables.get(fuzz.family(op))
        rows = harness.rows(op, names) if names else harness.rows(op)[:4]
        for impl, name in rows:
            yield impl, harness.arguments(op, harness.cases.CASES[op][name])


@pytest.mark.parametrize("count", [1, 2])
def test_equal_to_serial(count):
    work = list(calls())
    harness.threads.set_num_threads(count)
    want = [harness.digest(impl.run(*args)) for impl, args in work]
    order = list(range(len(work))) * ROUNDS
    with ThreadPoolExecutor(CALLERS) as pool:
        got = list(pool.map(lambda i: harness.digest(work[i][0].run(*work[i][1])), order))
    wrong = {work[i][0].name for i, digest in zip(order, got, strict=True) if digest != want[i]}
    assert not wrong


@pytest.mark.skipif(sys.platform != "linux", reason="calls the OpenMP runtime of GCC by its name")
@pytest.mark.parametrize("count", [1, 2])
def test_inside_of_a_region_of_somebody_else(count):
    """A region of one thread is a plain call, but not where its loops would see another library's team."""
    x = np.random.default_rng(0).standard_normal(200_000, np.float32)
    found = []
    body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: found.append((relu.relu_forward(x, threads=1), columns.total(x))))
    ctypes.CDLL("libgomp.so.1").GOMP_parallel(body, None, count, 0)
    assert len(found) == count
    for y, total in found:
        np.testing.assert_array_equal(y, np.maximum(x, 0))
        assert total == columns.total(x, threads=2)
