"""tests.kernels.test_max_pool2d: every max-pool kernel against the reference; ties, NaN and -inf as in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.shapes import pool2d_case

from .. import harness
from ..cases import CHANNEL_TAILS, LAYOUT_ROWS, LAYOUTS, MAX_POOL2D

OPS = ("max_pool2d_forward", "max_pool2d_backward")
FORWARD = harness.implementations(OPS[0])


def rows(names=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, names)]


def check_forward(impl, case, x):
    for isa in harness.ISAS:
        for count in (1, 2):
            harness.check_arguments(OPS[0], impl, case, (x, case), isa=isa, count=count, exact=True)


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    harness.check_everywhere(op, impl, MAX_POOL2D[name])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS["max_pool2d"]), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, MAX_POOL2D[name], layout=layout)


@pytest.mark.parametrize(("op", "impl", "name"), rows(("large", "resnet_stem", "whole_image")), ids=harness.row_id)
def test_same_bits_for_every_thread_count(op, impl, name):
    for isa in harness.ISAS:
        harness.check_threads(op, impl, MAX_POOL2D[name], isa=isa)


@pytest.mark.parametrize("channels", CHANNEL_TAILS)
@pytest.mark.parametrize("impl", FORWARD, ids=harness.row_id)
def test_nan_in_each_lane_and_tap(impl, channels):
    case = pool2d_case((channels, channels, 5, 5), 3, 2, 1)
    x = harness.arguments(OPS[0], case)[0]
    for i, j in np.ndindex(3, 3):
        poisoned = x.copy()
        poisoned[np.arange(channels), np.arange(channels), i, j] = np.nan
        check_forward(impl, case, poisoned)


@pytest.mark.parametrize("fill", [np.nan, -np.inf, np.inf, 0.0, -0.0])
@pytest.mark.parametrize("impl", FORWARD, ids=harness.row_id)
def test_windows_of_one_value(impl, fill):
    for channels in (1, 5, 17, 33):
        for case in (pool2d_case((1, channels, 5, 6), 3, 2, 1), pool2d_case((1, channels, 5, 5), 2, 2, 0, ceil_mode=True)):
            check_forward(impl, case, np.full(case.x_shape, fill, np.float32))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("impl", FORWARD, ids=harness.row_id)
def test_special_values_everywhere(impl, share):
    """NaN, infinities, both zeros and denormals mixed at random: values and indices as the reference has them."""
    rng = np.random.default_rng(int(100 * share))
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40], np.float32)
    for channels in (3, 16, 33):
        case = pool2d_case((2, channels, 9, 8), 3, 2, 1)
        x = rng.standard_normal(case.x_shape).astype(np.float32)
        x = np.where(rng.random(case.x_shape) < share, rng.choice(special, case.x_shape), x)
        check_forward(impl, case, x)
        check_forward(impl, case, x.astype(np.float64))


@pytest.mark.parametrize("impl", FORWARD, ids=harness.row_id)
def test_window_without_tap(impl):
    """Dilation steps over the image: -inf, and no index that a backward pass could follow out of the image."""
    case = pool2d_case((1, 5, 4, 4), 2, 1, 1, dilation=5)
    check_forward(impl, case, np.ones(case.x_shape, np.float32))
    _, index = impl.run(np.ones(case.x_shape, np.float32), case)
    for backward in harness.implementations(OPS[1]):
        args = (np.ones(case.y_shape, np.float32), index, case)
        harness.check_arguments(OPS[1], backward, case, args, exact=True)


@pytest.mark.parametrize("name", ["overlapping", "ceil_mode_padded"])
@pytest.mark.parametrize("impl", harness.implementations(OPS[1]), ids=harness.row_id)
def test_broadcast_gradient(impl, name):
    case = MAX_POOL2D[name]
    dy, index, _ = harness.arguments(OPS[1], case)
    args = (np.broadcast_to(np.float32(0.5), dy.shape), index, case)
    for isa in harness.ISAS:
        harness.check_arguments(OPS[1], impl, case, args, isa=isa, count=2, exact=True)


@pytest.mark.parametrize("impl", [impl for impl in FORWARD if impl.compiled], ids=harness.row_id)
def test_without_the_index(impl):
    """Inference needs no index; the values are the same."""
    for case in MAX_POOL2D.values():
        args = harness.arguments(OPS[0], case)
        for isa in harness.ISAS:
            y, index = harness.call(impl, args, isa, 2, need_index=False)
            assert index is None
            np.testing.assert_array_equal(y, harness.call(impl, args, isa, 1)[0])
