"""tests.kernels.test_layout: every layout conversion against the reference, bit for bit, NaN payloads included."""

from __future__ import annotations

import numpy as np
import pytest

from .. import harness
from ..cases import IMAGES, LAYOUTS

OPS = ("to_channels_last", "to_contiguous")


def rows(names=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, names)]


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    for layout in ("nchw", "nhwc"):
        harness.check_everywhere(op, impl, IMAGES[name], layout=layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(("small", "first_layer")), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, IMAGES[name], layout=layout)


@pytest.mark.parametrize("impl", harness.implementations(OPS[1]), ids=harness.row_id)
def test_result_is_contiguous(impl):
    for layout in LAYOUTS:
        (x,) = harness.arguments(OPS[1], IMAGES["small"])
        assert harness.call(impl, (x,), None, 1)[0].flags.c_contiguous, layout


@pytest.mark.parametrize("op", OPS)
def test_every_bit_pattern_survives(op):
    bits = np.random.default_rng(0).integers(0, 2**32, (2, 17, 5, 6), dtype=np.uint32)
    for impl in harness.implementations(op):
        for isa in harness.ISAS:
            (y,) = harness.call(impl, (bits.view(np.float32),), isa, 2)
            np.testing.assert_array_equal(np.ascontiguousarray(y).view(np.uint32), bits)


@pytest.mark.parametrize("op", OPS)
def test_broadcast_image(op):
    shape = IMAGES["small"]
    for impl in harness.implementations(op):
        harness.check_arguments(op, impl, shape, (np.broadcast_to(np.float32(2), shape),), exact=True)
