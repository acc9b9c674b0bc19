"""tests.kernels.test_winograd_jobs: Winograd's recordings and their replays; denormals and the caller's floating-point state."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.kernels import conv2d_winograd, conv2d_winograd_weight, entry
from fastcnn.shapes import conv2d_case

# (batch, ci, side, co) and the schedule: one thread's part fused, stationary; one chunk of the gradient, several
SHAPES = {"fused": (3, 12, 24, 20), "stationary": (2, 40, 7, 72), "one_tile": (1, 5, 3, 7)}


def draw(case, seed, scale=1.0):
    """x, w, b, dy of a case, channels-last, normal with this deviation."""
    rng = np.random.default_rng(seed)
    shapes = (case.x_shape, case.w_shape, case.y_shape)
    x, w, dy = (rng.standard_normal((n, h, v, c), np.float32).transpose(0, 3, 1, 2) * np.float32(scale) for n, c, h, v in shapes)
    return x, w, rng.standard_normal(case.co, np.float32), dy


def run(arrays, case, schedule, threads):
    x, w, b, dy = arrays
    return (
        conv2d_winograd.conv2d_winograd_forward(x, w, b, case, bounds=(0, np.inf), schedule=schedule, threads=threads),
        conv2d_winograd.conv2d_winograd_backward_data(dy, w, case, schedule=schedule, threads=threads),
        conv2d_winograd_weight.conv2d_winograd_backward_weight(dy, x, case, threads=threads),
    )


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_a_replay_follows_its_inputs(name, threads):
    batch, ci, side, co = SHAPES[name]
    case = conv2d_case((batch, ci, side, side), (co, ci, 3, 3), 1, 1)
    schedule = "stationary" if name == "stationary" else "fused"
    arrays = draw(case, 0)
    recording = entry.Recording()
    recording.start()
    try:
        outputs = run(arrays, case, schedule, threads)
    finally:
        recording.stop()
    assert len(recording) == 3 and recording.refused is None
    for seed in range(1, 3):
        for ours, other in zip(arrays, draw(case, seed), strict=True):
            ours[...] = other
        recording.replay()
        for got, want in zip(outputs, run(arrays, case, schedule, threads), strict=True):
            np.testing.assert_array_equal(got, want)


def test_an_empty_batch_is_refused():
    case = conv2d_case((0, 3, 8, 8), (5, 3, 3, 3), 1, 1)
    x, _, _, dy = draw(case, 0)
    recording = entry.Recording()
    recording.start()
    try:
        dw = conv2d_winograd_weight.conv2d_winograd_backward_weight(dy, x, case)
    finally:
        recording.stop()
    assert not dw.any() and recording.refused == "conv2d of an empty batch"


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_denormals_are_zero_in_every_thread(threads):
    case = conv2d_case((8, 16, 16, 16), (16, 16, 3, 3), 1, 1)
    x, w, b, dy = draw(case, 0, 1e-20)
    b[...] = 0
    np.float32(1) / np.float32(3)  # leaves a sticky flag
    before = entry.float_state()
    for result in run((x, w, b, dy), case, "auto", threads):  # every product is about 1e-40
        assert not result.any()
    x[...] = w[...] = dy[...] = 1e-39
    assert (x * np.float32(1) > 0).all()
    for result in run((x, w * np.float32(1e35), b, dy), case, "auto", threads):
        assert not result.any()
    assert entry.float_state() == before
