"""tests.kernels.test_batch_norm: every batch-norm kernel against the reference; statistics of badly centred data."""

from __future__ import annotations

import numpy as np
import pytest

from .. import harness
from ..cases import BATCH_NORM, LAYOUT_ROWS, LAYOUTS
from ..problems import EPS

OPS = ("batch_norm_forward", "batch_norm_backward", "batch_norm_inference")


def rows(names=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, names)]


@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name, optional):
    harness.check_everywhere(op, impl, BATCH_NORM[name], optional=optional)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS["batch_norm"]), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, BATCH_NORM[name], layout=layout)


@pytest.mark.parametrize(
    ("op", "impl", "name"), rows(("large", "large_plane", "many_channels", "long_vectors")), ids=harness.row_id
)
def test_same_bits_for_every_thread_count(op, impl, name):
    for isa in harness.ISAS:
        for dtype in harness.DTYPES:
            harness.check_threads(op, impl, BATCH_NORM[name], isa=isa, dtype=dtype)


@pytest.mark.parametrize("impl", harness.implementations(OPS[0]), ids=harness.row_id)
def test_variance_far_from_zero(impl):
    """Mean 1000, standard deviation 1: E[x^2] - E[x]^2 in float32 would lose every digit."""
    x = (1000 + np.random.default_rng(0).standard_normal((8, 19, 12, 12))).astype(np.float32)
    _, mean, var = harness.reference(OPS[0]).function(x, None, None, EPS)
    for isa in harness.ISAS:
        _, got_mean, got_var = harness.call(impl, (x, None, None, EPS), isa, 2)
        np.testing.assert_allclose(got_mean, mean, rtol=1e-6)
        np.testing.assert_allclose(got_var, var, rtol=2e-4)


@pytest.mark.parametrize("op", OPS)
def test_nan_stays_in_its_channel(op):
    for channels in (5, 17, 35):
        shape = (2, channels, 4, 3)
        args = list(harness.arguments(op, shape))
        for lane in range(channels):
            poisoned = args[0].copy()
            poisoned[1, lane, 2, 1] = np.nan
            for impl in harness.implementations(op):
                isa = harness.ISAS[lane % len(harness.ISAS)]
                with np.errstate(invalid="ignore"):
                    got = harness.call(impl, (poisoned, *args[1:]), isa, 1)
                    want = harness.as_tuple(harness.reference(op).function(poisoned, *args[1:]))
                for g, w in zip(got, want, strict=True):
                    np.testing.assert_array_equal(np.isnan(g), np.isnan(w))


@pytest.mark.parametrize("impl", harness.implementations(OPS[1]), ids=harness.row_id)
def test_broadcast_gradient(impl):
    shape = BATCH_NORM["images"]
    dy, *rest = harness.arguments(OPS[1], shape)
    for isa in harness.ISAS:
        args = (np.broadcast_to(np.float32(0.5), dy.shape), *rest)
        harness.check_arguments(OPS[1], impl, shape, args, isa=isa, count=2)
