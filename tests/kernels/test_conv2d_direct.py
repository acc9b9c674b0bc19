"""tests.kernels.test_conv2d_direct: matrix product and direct convolution as jobs: replays, denormals, what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.kernels import entry, select
from fastcnn.shapes import conv2d_case

from .. import harness

OPS = ("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight")
CASES = {
    "padded": conv2d_case((3, 17, 9, 11), (35, 17, 3, 3), padding=1),
    "1x1": conv2d_case((3, 40, 9, 11), (35, 40, 1, 1)),
    "1x1_strided": conv2d_case((3, 40, 9, 11), (35, 40, 1, 1), stride=2),  # most of dx has no tap
    "strided": conv2d_case((2, 16, 15, 15), (32, 16, 3, 3), stride=2, padding=1),
    "grouped": conv2d_case((2, 24, 8, 8), (48, 12, 3, 3), dilation=2, padding=2, groups=2),
    "batch_0": conv2d_case((0, 4, 5, 5), (6, 4, 3, 3)),
}
PRODUCTS = {"rows": (3000, 700, 40), "panels": (30, 700, 300), "columns": (300, 64, 200)}


def direct(op):
    return next(impl.function for impl in select.OPS[op] if impl.name == "direct")


def check_replay(function, args):
    """Record a call, change what it reads, spoil what it writes, and compare the replay with a fresh call."""
    args = [a.copy(order="K") if isinstance(a, np.ndarray) else a for a in args]
    recording, before = entry.Recording(), entry.float_state()
    recording.start()
    try:
        got = function(*args, threads=2)
    finally:
        recording.stop()
    assert entry.float_state() == before and recording.refused is None
    for a in args:
        if isinstance(a, np.ndarray):
            a[...] = np.random.default_rng(1).standard_normal(a.shape)
    got[...] = np.nan
    recording.replay()
    np.testing.assert_array_equal(got, function(*args, threads=1))


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("name", CASES)
def test_a_replay_follows_its_inputs(op, name):
    check_replay(direct(op), harness.arguments(op, CASES[name]))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("name", PRODUCTS)
def test_a_replayed_product_follows_its_inputs(name, transposed):
    a, b, bias = harness.arguments("gemm", PRODUCTS[name])
    check_replay(select.OPS["gemm"][0].function, (np.asfortranarray(a) if transposed else a, b, bias))


def test_a_bias_of_any_stride_is_read_again():
    case = CASES["padded"]
    x, w, _, _ = harness.arguments("conv2d_forward", case)
    b = np.zeros(3 * case.co, np.float32)
    recording = entry.Recording()
    recording.start()
    y = direct("conv2d_forward")(x, w, b[::3], case, threads=2)
    recording.stop()
    b[...] = np.arange(b.size)
    recording.replay()
    np.testing.assert_array_equal(y, direct("conv2d_forward")(x, w, b[::3], case))


def test_what_numpy_computes_is_refused():
    case = CASES["padded"]
    x, w, b, _ = harness.arguments("conv2d_forward", case)
    odd = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    for function, args in (
        (direct("conv2d_forward"), (odd, w, b, case)),
        (select.OPS["gemm"][0].function, (np.zeros((3, 0), np.float32), np.zeros((0, 4), np.float32))),
    ):
        recording = entry.Recording()
        recording.start()
        function(*args)
        recording.stop()
        assert recording.refused


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("name", ["padded", "1x1"])
def test_denormals_are_zero_in_every_thread(op, name):
    case = conv2d_case((8, 24, 16, 16), (40, 24, 3, 3), padding=1) if name == "padded" else CASES[name]
    args = [np.full(a.shape, 1e-39 if i == 0 else 1, a.dtype) if isinstance(a, np.ndarray) else a
            for i, a in enumerate(harness.arguments(op, case, optional=False))]  # fmt: skip
    for threads in (1, 2, 3):
        assert not direct(op)(*args, threads=threads).any()
        small = [np.full(a.shape, 1e-20, a.dtype) if isinstance(a, np.ndarray) else a for a in args]
        assert not direct(op)(*small, threads=threads).any()  # products below the least normal number
