"""tests.kernels.test_conv2d: every convolution kernel, ISA and thread count against the reference."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.shapes import conv2d_case

from .. import harness
from ..cases import CONV2D, CONV2D_BASIC, CONV2D_BLOCKS, CONV2D_LAYERS, LAYOUT_ROWS, LAYOUTS

OPS = ("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight", "conv2d_backward_bias")


def rows(ops=OPS, names=None):
    return [(op, impl, name) for op in ops for impl, name in harness.rows(op, names)]


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    harness.check_everywhere(op, impl, CONV2D[name])


@pytest.mark.parametrize(("op", "impl", "name"), rows(OPS[:1], CONV2D_BASIC), ids=harness.row_id)
def test_without_bias(op, impl, name):
    harness.check_everywhere(op, impl, CONV2D[name], optional=False)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(names=LAYOUT_ROWS["conv2d"]), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, CONV2D[name], layout=layout)


@pytest.mark.parametrize("isa", harness.ISAS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(names=[*CONV2D_LAYERS, *CONV2D_BLOCKS]), ids=harness.row_id)
def test_same_bits_for_every_thread_count(op, impl, name, isa):
    for dtype in harness.DTYPES:
        harness.check_threads(op, impl, CONV2D[name], isa=isa, dtype=dtype)


# Geometry on which a NaN must reach its window and nothing else: (ci, co, kernel, options)
POISONED = {
    "3x3": (17, 35, 3, {"padding": 1}),
    "3x3_few_channels": (3, 5, 3, {"padding": 1}),
    "strided": (19, 16, 3, {"padding": 1, "stride": 2}),
    "1x1": (33, 17, 1, {}),
    "depthwise": (21, 21, 3, {"padding": 1, "groups": 21}),
    "grouped": (18, 12, 3, {"padding": 1, "groups": 3}),
    "first_layer": (3, 16, 7, {"padding": 3, "stride": 2}),
}


def poisoned_case(name):
    ci, co, k, options = POISONED[name]
    return conv2d_case((ci, ci, 6, 7), (co, ci // options.get("groups", 1), k, k), **options)


def poison_lanes(a, value):
    """A copy of `a` with `value` in channel c of image c, in the middle of the image."""
    a = a.copy(order="K")
    for lane in range(min(a.shape[:2])):
        a[lane, lane, a.shape[2] // 2, a.shape[3] // 2] = value
    return a


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", POISONED)
@pytest.mark.parametrize("op", OPS[:3])
def test_nan_and_inf_in_each_lane(op, name, value):
    case = poisoned_case(name)
    args = harness.arguments(op, case, optional=False)
    args = (poison_lanes(args[0], value), *args[1:])
    for impl in harness.implementations(op):
        if harness.is_winograd(impl) or (impl.name == "batch" and op == "conv2d_backward_weight"):
            continue  # spread over a tile; does not multiply the zeros of the padding, see tests.kernels.test_conv2d_batch
        for isa in harness.ISAS:
            harness.check_arguments(op, impl, case, args, isa=isa, count=2)


@pytest.mark.parametrize("name", POISONED)
def test_nan_weight_reaches_its_channel_only(name):
    op, case = "conv2d_forward", poisoned_case(name)
    x, w, b, _ = harness.arguments(op, case)
    for channel in range(case.co):
        poisoned = w.copy()
        poisoned[channel] = np.nan
        for impl in harness.implementations(op):
            for isa in harness.ISAS if channel % 7 == 0 else harness.ISAS[-1:]:
                harness.check_arguments(op, impl, case, (x, poisoned, b, case), isa=isa)


@pytest.mark.parametrize("op", OPS)
def test_broadcast_gradient(op):
    """The gradient of a sum has stride 0 on every axis."""
    case = CONV2D["tail"]
    args = harness.arguments(op, case)
    args = (np.broadcast_to(np.float32(0.5), args[0].shape), *args[1:])
    for impl in harness.implementations(op):
        for isa in harness.ISAS:
            harness.check_arguments(op, impl, case, args, isa=isa, count=2)


@pytest.mark.parametrize("op", OPS)
def test_every_implementation_accepts_something(op):
    accepted = {impl.name for impl, _ in harness.rows(op)}
    assert accepted == {impl.name for impl in harness.implementations(op)}


@pytest.mark.parametrize("isa", harness.ISAS)
@pytest.mark.parametrize("op", ["conv2d_forward", "conv2d_backward_data"])
def test_depthwise_past_the_caches(op, isa):
    """Two images of 34 MB in and out are stored past the caches; single images are not, and give the same bits."""
    shape, kernel = (2, 32, 261, 259), (32, 1, 3, 3)
    a = np.random.default_rng(0).standard_normal((2, 261, 259, 32), np.float32).transpose(0, 3, 1, 2)
    w = np.random.default_rng(1).standard_normal(kernel, np.float32)
    rest = (w, None) if op == "conv2d_forward" else (w,)
    impl = next(impl for impl in harness.implementations(op) if impl.name == "depthwise")
    with harness.machine(isa, 2):
        whole = impl.run(a, *rest, conv2d_case(shape, kernel, padding=1, groups=32))
        for n in range(2):
            one = impl.run(a[n : n + 1], *rest, conv2d_case((1, *shape[1:]), kernel, padding=1, groups=32))
            np.testing.assert_array_equal(whole[n : n + 1], one)
