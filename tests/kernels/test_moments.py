"""tests.kernels.test_moments: statistics for batch normalisation that convolution takes while it stores, by their definition."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError
from fastcnn.kernels import entry
from fastcnn.shapes import conv2d_case

from .. import harness
from ..cases import CONV2D, CONV2D_BLOCKS, CONV2D_LAYERS

OP = "conv2d_forward"
DIRECT = next(impl for impl in harness.implementations(OP) if impl.name == "direct")
ROUNDINGS = 40  # of a chunk of some hundred tiles: they cancel in part
LONG = {  # several chunks, panels, depth blocks, stores past the caches
    "1x1_chunks": conv2d_case((2, 24, 70, 70), (80, 24, 1, 1)),
    "1x1_deep": conv2d_case((2, 1100, 9, 9), (70, 1100, 1, 1)),
    "1x1_panels": conv2d_case((1, 16, 20, 20), (200, 16, 1, 1)),
    "1x1_past_cache": conv2d_case((1, 3, 320, 321), (96, 3, 1, 1)),
    "3x3_past_cache": conv2d_case((1, 3, 420, 421), (48, 3, 3, 3), padding=1),
    "rows": conv2d_case((1, 32, 60, 50), (40, 32, 3, 3), padding=1),
}


def moments_of(args, isa=None, count=1):
    moments = np.full((2, args[-1].co), np.nan)
    y = harness.call(DIRECT, args, isa, count, moments=moments)[0]
    return y, moments


def check(y, moments):
    """Both by their definition from y, in long double. A sum in y's own precision meets at most ROUNDINGS in a row."""
    if not y.size:
        assert not moments.any()
        return
    eps, values = np.finfo(y.dtype).eps, y.astype(np.longdouble).transpose(1, 0, 2, 3).reshape(y.shape[1], -1)
    mean = values.mean(1)
    m2 = np.square(values - mean[:, None]).sum(1)
    deviation = np.sqrt(m2 / values.shape[1])
    assert (np.abs(moments[0] - mean) <= ROUNDINGS * eps * deviation + eps / 8 * np.abs(mean)).all()
    assert (np.abs(moments[1] - m2) <= ROUNDINGS * eps * m2 + values.shape[1] * np.square(eps * mean)).all()


@pytest.mark.parametrize("name", CONV2D)
def test_equal_their_definition(name):
    for dtype in harness.DTYPES:
        args = harness.arguments(OP, CONV2D[name], dtype)
        for isa in harness.ISAS:
            y, moments = moments_of(args, isa)
            check(y, moments)
            assert y.tobytes() == harness.call(DIRECT, args, isa, 1)[0].tobytes()


@pytest.mark.parametrize("name", LONG)
def test_of_many_chunks(name):
    for isa in harness.ISAS[-2:]:
        y, moments = moments_of(harness.arguments(OP, LONG[name]), isa, 2)
        check(y, moments)


@pytest.mark.parametrize("name", [*CONV2D_LAYERS, *CONV2D_BLOCKS, *(name for name in LONG if "past" not in name)])
def test_same_bits_for_every_thread_count(name):
    args = harness.arguments(OP, {**CONV2D, **LONG}[name])
    want = moments_of(args)[1]
    for count in (2, 3, 4, 7, 8):
        assert moments_of(args, None, count)[1].tobytes() == want.tobytes(), f"{count} threads"


@pytest.mark.parametrize("name", ["1x1_chunks", "1x1_deep"])
def test_far_from_zero(name):
    """A mean a thousand times the deviation, and an image whose first rows are another world."""
    x, w, b, case = harness.arguments(OP, LONG[name])
    check(*moments_of((x, w, b + np.float32(1000) * w[:, :, 0, 0].std(), case)))
    x = x.copy(order="K")
    x[0, :, :3] = 0
    x[:, :, 3:] += 30
    check(*moments_of((x, w, b, case)))


@pytest.mark.parametrize("name", LONG)
def test_of_what_is_stored_behind_a_relu(name):
    args = harness.arguments(OP, LONG[name])
    moments = np.empty((2, LONG[name].co))
    y = DIRECT.function(*args, bounds=(0, np.inf), moments=moments, threads=2)
    check(y, moments)


def test_a_replay_takes_them_again():
    x, w, b, case = harness.arguments(OP, CONV2D["tail"])
    x, moments = x.copy(order="K"), np.empty((2, case.co))
    recording = entry.Recording()
    recording.start()
    y = DIRECT.function(x, w, b, case, moments=moments, threads=2)
    recording.stop()
    x[...] = np.random.default_rng(1).standard_normal(x.shape)
    moments[...] = np.nan
    recording.replay()
    check(y, moments)


def test_what_is_no_array_for_them_is_refused():
    args = harness.arguments(OP, CONV2D["tail"])
    co = args[-1].co
    fixed = np.empty((2, co))
    fixed.flags.writeable = False
    for wrong in (np.empty((2, co), np.float32), np.empty((2, co + 1)), np.empty((co, 2)).T, fixed):
        with pytest.raises(ArgumentError, match=r"conv2d: moments must be a writeable float64 array \(2, "):
            DIRECT.function(*args, moments=wrong)
    with pytest.raises(ArgumentError, match="conv2d: moments must be an array, got <class 'list'>"):
        DIRECT.function(*args, moments=[0.0] * co)
