"""tests.kernels.test_conv2d_batch: images of few pixels: what a tap outside the image does, blocks of images, the choice."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.kernels import select
from fastcnn.reference import conv2d as truth
from fastcnn.shapes import conv2d_case

from .. import harness

OPS = ("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight")


def batch(op):
    return next(impl for impl in select.OPS[op] if impl.name == "batch")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gradient_reaches_the_taps_inside_only(value):
    """As in PyTorch; the reference multiplies it by the zeros of the padding."""
    case = conv2d_case((3, 5, 2, 2), (17, 5, 3, 3), padding=1)
    dy, x, _ = harness.arguments("conv2d_backward_weight", case)
    want = truth.conv2d_backward_weight(dy, x, case)
    dy = dy.copy(order="K")
    for channel in range(case.co):
        dy[channel % 3, channel, 0, 0] = value
    want[:, :, 1:, 1:] = np.nan
    for isa in harness.ISAS:
        got = harness.call(batch("conv2d_backward_weight"), (dy, x, case), isa, 2)[0]
        assert not np.isfinite(got[:, :, 1:, 1:]).any()
        got = np.where(np.isfinite(want), got, np.nan)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize(
    ("pixels", "co", "options"),
    [((3, 2), 33, {"padding": 1}), ((2, 2), 40, {"padding": 2, "stride": 2}), ((4, 3), 65, {"padding": (0, 2, 1, 0)})],
)
def test_blocks_of_images(op, pixels, co, options):
    """More images than one block holds: same result, same bits for every number of threads."""
    case = conv2d_case((170, 600, *pixels), (co, 600, 3, 3), **options)
    args = harness.arguments(op, case)
    harness.check_arguments(op, batch(op), case, args, isa=harness.ISAS[-1], count=2)
    digests = {harness.digest(harness.call(batch(op), args, harness.ISAS[-1], count)) for count in (1, 2, 3, 5)}
    assert len(digests) == 1


@pytest.mark.parametrize("op", OPS)
def test_chosen_where_images_are_few_pixels_and_many(op):
    few, single = (conv2d_case((n, 64, 2, 2), (64, 64, 3, 3), padding=1) for n in (64, 1))
    assert select.choose(op, harness.arguments(op, few)).name == "batch"
    assert select.choose(op, harness.arguments(op, single)).name != "batch"


def test_denormals_are_zero_in_every_thread():
    case = conv2d_case((32, 16, 2, 2), (64, 16, 3, 3), padding=1)
    x, w = np.full(case.x_shape, 1e-39, np.float32), np.ones(case.w_shape, np.float32)
    assert not batch("conv2d_forward").function(x, w, None, case, threads=2).any()
