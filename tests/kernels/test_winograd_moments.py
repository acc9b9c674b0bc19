"""tests.kernels.test_winograd_moments: batch-norm statistics taken in the output transform of Winograd's forward."""

from __future__ import annotations

import os

import numpy as np
import pytest

from fastcnn.errors import ArgumentError
from fastcnn.kernels import conv2d_winograd, entry
from fastcnn.shapes import conv2d_case

from ..harness import ISAS, machine

CASES = 2000 if os.environ.get("FASTCNN_STRESS") else 60
LIMIT = {"float32": 3e-6, "float64": 1e-14}  # of the deviation for the mean, of the sum for the sum of squares

# (batch, ci, height, width, co): one tile, sides that are clipped, every kind, masked channels, many chunks, stationary
SHAPES = [(1, 3, 2, 1, 5), (2, 7, 5, 6, 3), (3, 12, 7, 10, 33), (8, 16, 32, 32, 16), (2, 320, 14, 14, 320), (1, 5, 1, 1, 40)]


def draw(shape, dtype="float32", seed=0, mean=0.0):
    """x, w, b of a 3x3 convolution, w at a scale that makes y about standard normal; b near `mean`."""
    batch, ci, height, width, co = shape
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, height, width, ci)).astype(dtype).transpose(0, 3, 1, 2)
    w = (rng.standard_normal((co, 3, 3, ci)) / np.sqrt(9 * ci)).astype(dtype).transpose(0, 3, 1, 2)
    return x, w, (rng.standard_normal(co) + mean).astype(dtype), conv2d_case(x.shape, w.shape, 1, 1)


def run(x, w, b, case, **options):
    moments = np.full((2, case.co), np.nan)
    return conv2d_winograd.conv2d_winograd_forward(x, w, b, case, moments=moments, **options), moments


def errors(y, moments):
    """Largest error of the means in deviations of their channel, and of the sums of squares, relative."""
    z = y.transpose(0, 2, 3, 1).reshape(-1, y.shape[1]).astype(np.longdouble)
    squares = ((z - z.mean(0)) ** 2).sum(0)
    deviation = np.sqrt(squares / len(z))
    room = np.where(squares > 0, squares, 1)
    assert (moments[1] >= -1e-9 * room).all()
    mean = np.abs(moments[0] - z.mean(0)) / np.where(deviation > 0, deviation, np.abs(z).max(0) + 1)
    return mean.max(), (np.abs(moments[1] - squares) / room).max()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", LIMIT)
@pytest.mark.parametrize("shape", SHAPES)
def test_moments_are_those_of_the_output(shape, dtype, isa):
    x, w, b, case = draw(shape, dtype)
    with machine(isa, 1):
        plain = conv2d_winograd.conv2d_winograd_forward(x, w, b, case)
        y, moments = run(x, w, b, case)
        np.testing.assert_array_equal(y, plain)
        assert max(errors(y, moments)) <= LIMIT[dtype]
        y, moments = run(x, w, b, case, bounds=(0, np.inf))
        assert max(errors(y, moments)) <= LIMIT[dtype]


@pytest.mark.parametrize("isa", ISAS)
def test_a_mean_of_a_thousand_deviations(isa):
    x, w, b, case = draw((8, 16, 32, 32, 40), mean=1000.0)
    with machine(isa, 1):
        y, moments = run(x, w, b, case)
    assert np.abs(moments[0]).min() > 990 and y.std(axis=(0, 2, 3)).max() < 2
    assert max(errors(y, moments)) <= LIMIT["float32"]
    squares = (y.astype(np.float32) ** 2).mean(axis=(0, 2, 3)) - y.mean(axis=(0, 2, 3)) ** 2  # what must not be computed
    assert np.abs(squares / y.astype(np.float64).var(axis=(0, 2, 3)) - 1).max() > 1e-3


def test_a_first_tile_unlike_the_rest():
    """The centre of a part is the mean of its first tile: far from the rest, it costs some digits at most."""
    x, w, b, case = draw((4, 16, 28, 28, 16))
    x = x.copy()
    x[:, :, :6, :6] += 1000.0
    y, moments = run(x, w, b, case)
    assert max(errors(y, moments)) <= 1e-5


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_count_of_threads_gives_the_same_bits(shape, isa):
    x, w, b, case = draw(shape)
    with machine(isa, 1):
        _, alone = run(x, w, b, case)
        for threads in (2, 3, 4, 7, 8):
            np.testing.assert_array_equal(run(x, w, b, case, threads=threads)[1], alone)
        for schedule in ("fused", "stationary"):
            np.testing.assert_array_equal(run(x, w, b, case, threads=2, schedule=schedule)[1], alone)


def test_random_cases():
    rng = np.random.default_rng(5)
    for i in range(CASES):
        batch, ci, co, height, width = (int(v) for v in rng.integers(1, [5, 70, 70, 20, 20]))
        x, w, b, case = draw((batch, ci, height, width, co), seed=i, mean=float(rng.integers(-50, 50)))
        with machine(ISAS[i % len(ISAS)], 1):
            y, moments = run(x, w, b, case, threads=1 + i % 3)
        assert max(errors(y, moments)) <= LIMIT["float32"], case


def test_a_replay_follows_its_inputs():
    x, w, b, case = draw((3, 12, 14, 14, 40))
    recording = entry.Recording()
    recording.start()
    try:
        y, moments = run(x, w, b, case, threads=2)
    finally:
        recording.stop()
    assert recording.refused is None
    x[...] = draw((3, 12, 14, 14, 40), seed=1)[0]
    recording.replay()
    fresh, want = run(x, w, b, case, threads=2)
    np.testing.assert_array_equal(moments, want)
    np.testing.assert_array_equal(y, fresh)


def test_an_empty_batch_has_zeros():
    x, w, b, case = draw((0, 3, 8, 8, 5))
    assert not run(x, w, b, case)[1].any()


@pytest.mark.parametrize(
    "moments", [np.zeros((2, 4)), np.zeros((2, 5), np.float32), np.zeros((5, 2)).T, np.broadcast_to(np.zeros(5), (2, 5))]
)
def test_moments_that_do_not_fit(moments):
    x, w, b, case = draw((1, 3, 8, 8, 5))
    with pytest.raises(ArgumentError, match=r"conv2d: moments must be a writeable float64 array \(2, 5\) in C order, got"):
        conv2d_winograd.conv2d_winograd_forward(x, w, b, case, moments=moments)
