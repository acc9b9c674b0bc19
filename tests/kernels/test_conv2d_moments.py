"""tests.kernels.test_conv2d_moments: the statistics of a convolution's result, taken while it is stored."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.kernels import entry, select
from fastcnn.reference import conv2d as truth
from fastcnn.shapes import conv2d_case

from .. import harness

CASES_OF = {
    "few_pixels": conv2d_case((3, 5, 2, 3), (7, 5, 1, 1)),
    "tails": conv2d_case((2, 17, 9, 11), (35, 17, 3, 3), padding=1),
    "strided": conv2d_case((3, 16, 15, 14), (33, 16, 3, 3), stride=2, padding=1),
    "large": conv2d_case((16, 64, 28, 28), (32, 64, 1, 1)),
    "winograd": conv2d_case((4, 32, 14, 14), (48, 32, 3, 3), padding=1),
    "depthwise": conv2d_case((3, 19, 13, 12), (19, 1, 3, 3), padding=1, groups=19),
    "depthwise_strided": conv2d_case((4, 32, 28, 28), (32, 1, 3, 3), stride=2, padding=1, groups=32),
    "depthwise_past_cache": conv2d_case((16, 96, 28, 28), (96, 1, 3, 3), padding=1, groups=96),
    "depthwise_dilated": conv2d_case((2, 8, 10, 10), (8, 1, 5, 5), padding=4, dilation=2, groups=8),
    "one_image": conv2d_case((1, 64, 56, 56), (64, 1, 3, 3), padding=1, groups=64),
    "one_pixel": conv2d_case((2, 4, 1, 1), (4, 1, 1, 1), groups=4),
}
LIMIT = {"float32": 3e-6, "float64": 1e-14}  # of the deviation for the mean, of the sum for the sum of squares
GIVERS = [impl for impl in harness.implementations("conv2d_forward") if impl.moments]


def moments_of(impl, args, threads=2, isa=None):
    moments = np.full((2, args[-1].co), np.nan)
    with harness.machine(isa, threads):
        y = impl.function(*args, moments=moments, threads=threads)
    return y, moments


def close(moments, want, y, limit):
    deviation = np.sqrt(want[1] / (y.size / y.shape[1]))
    assert (np.abs(moments[0] - want[0]) <= limit * (deviation + (deviation == 0) * np.abs(want[0]))).all()
    assert (np.abs(moments[1] - want[1]) <= limit * want[1] + 1e-30).all()


@pytest.mark.parametrize("name", CASES_OF)
@pytest.mark.parametrize("impl", GIVERS, ids=harness.row_id)
def test_equal_the_definition(impl, name):
    case = CASES_OF[name]
    for dtype in harness.DTYPES:
        args = harness.arguments("conv2d_forward", case, dtype)
        if not impl.accepts(*args):
            continue
        for isa in harness.ISAS:
            with harness.machine(isa, 2):
                plain = impl.function(*args, threads=2)
            y, moments = moments_of(impl, args, 2, isa)
            assert np.array_equal(y, plain)
            close(moments, truth.moments(y), y, LIMIT[dtype])
            for count in (1, 3):
                assert np.array_equal(moments_of(impl, args, count, isa)[1], moments)


@pytest.mark.parametrize("impl", GIVERS, ids=harness.row_id)
def test_a_large_mean_costs_no_digits(impl):
    for case in CASES_OF.values():
        x, w, _, _ = harness.arguments("conv2d_forward", case)
        args = x, w, np.full(case.co, 1000, np.float32), case
        if impl.accepts(*args) and impl.name != "winograd":
            y, moments = moments_of(impl, args)
            close(moments, truth.moments(y), y, 1e-4)


@pytest.mark.parametrize("impl", GIVERS, ids=harness.row_id)
def test_a_replay_follows_its_inputs(impl):
    for case in CASES_OF.values():
        x, w, b, _ = harness.arguments("conv2d_forward", case)
        if not impl.accepts(x, w, b, case):
            continue
        x = x.copy(order="K")
        recording = entry.Recording()
        recording.start()
        try:
            y, moments = select.conv2d_forward_moments(x, w, b, case, impl.name)
            z, _, _ = select.batch_norm_forward(y, None, None, 1e-5, moments=moments)
        finally:
            recording.stop()
        x[...] = np.random.default_rng(1).standard_normal(x.shape)
        recording.replay()
        fresh, want = select.conv2d_forward_moments(x, w, b, case, impl.name)
        assert np.array_equal(moments, want) and recording.refused is None
        assert np.array_equal(z, select.batch_norm_forward(fresh, None, None, 1e-5, moments=want)[0])


def test_whoever_has_none_is_called_without():
    args = harness.arguments("conv2d_forward", CASES_OF["tails"])
    y, moments = select.conv2d_forward_moments(*args, "reference")
    assert moments is None and np.array_equal(y, truth.conv2d_forward(*args))
