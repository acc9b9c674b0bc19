"""tests.kernels.test_batch_norm_max_pool2d: the one pass against the reference, and bit for bit against the passes one by one."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import DtypeError, ShapeError
from fastcnn.kernels import batch_norm, max_pool2d
from fastcnn.kernels import batch_norm_max_pool2d as fused
from fastcnn.kernels.select import Impl
from fastcnn.shapes import pool2d_case

from .. import harness
from ..cases import LAYOUT_ROWS, LAYOUTS, NORM_POOL2D
from ..problems import EPS

OPS = ("batch_norm_max_pool2d_forward", "batch_norm_max_pool2d_backward", "batch_norm_max_pool2d_inference")
ROWS = ("2x2", "resnet_stem", "ceil_mode_padded", "stride_above_kernel", "vgg", "256_taps", "overlapping")


def rows(names=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, names)]


def values(shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def live(y, ceiling):
    return ~((y <= 0) | (y >= ceiling))


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    harness.check_everywhere(op, impl, NORM_POOL2D[name])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS["max_pool2d"]), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, NORM_POOL2D[name], layout=layout)


@pytest.mark.parametrize(("op", "impl", "name"), rows(("large", "resnet_stem", "vgg")), ids=harness.row_id)
def test_same_bits_for_every_thread_count(op, impl, name):
    for isa in harness.ISAS:
        harness.check_threads(op, impl, NORM_POOL2D[name], isa=isa)


def taps_of_cut_maxima(*args):
    *given, index = harness.reference(OPS[0]).function(*args)
    index[given[0] <= 0] = 0
    return *given, index


def sums_over_the_winners(dy, x, *rest):
    """Forgets that the statistics depend on the pixels that no window took."""
    dx, dweight, dbias = harness.reference(OPS[1]).function(dy, x, *rest)
    dx *= harness.reference("max_pool2d_backward").function(np.ones_like(dy), *rest[-2:]) > 0
    return dx, dweight, dbias


@pytest.mark.parametrize(("op", "function"), [(OPS[0], taps_of_cut_maxima), (OPS[1], sums_over_the_winners)])
def test_wrong_kernel_is_caught(op, function):
    with pytest.raises(AssertionError, match=rf"{op}, planted: .*\n  case="):
        harness.check_everywhere(op, Impl("planted", function), NORM_POOL2D["2x2"])


def passes(x, weight, bias, case, ceiling, threads):
    """What the passes one by one give: y, index, mean, var."""
    z, mean, var = batch_norm.batch_norm_forward(x, weight, bias, EPS, relu=True, ceiling=ceiling, threads=threads)
    return *max_pool2d.max_pool2d_forward(z, case, threads=threads), mean, var


@pytest.mark.parametrize("ceiling", [np.inf, 0.75])
@pytest.mark.parametrize("dtype", harness.DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_equals_the_passes_one_by_one(name, dtype, ceiling):
    case = NORM_POOL2D[name]
    x, dy = values(case.x_shape, dtype), values(case.y_shape, dtype, 1)
    weight, bias = values(case.channels, dtype, 2), values(case.channels, dtype, 3)
    weight[0] = 0  # all of a channel is equal: the first tap wins
    for isa in harness.ISAS:
        for threads in (1, 2):
            with harness.machine(isa, threads):
                y, index, mean, var = passes(x, weight, bias, case, ceiling, threads)
                got = fused.batch_norm_max_pool2d_forward(x, weight, bias, EPS, case, ceiling=ceiling, threads=threads)
                known = fused.batch_norm_max_pool2d_inference(x, weight, bias, mean, var, EPS, case, ceiling=ceiling)
                g = max_pool2d.max_pool2d_backward(dy, index, case, threads=threads)
                options = {"bias": bias, "ceiling": ceiling, "threads": threads}
                want = batch_norm.batch_norm_backward(g, x, weight, mean, var, EPS, relu=True, **options)
                given = fused.batch_norm_max_pool2d_backward(dy, x, weight, mean, var, EPS, *got[3:], case, **options)
            for a, b in zip((*got[:3], known), (y, mean, var, y), strict=True):
                np.testing.assert_array_equal(a, b)
            passing = live(y, ceiling)
            np.testing.assert_array_equal(got[4][passing].astype(int), index[passing].astype(int))
            assert (got[4][~passing] == np.array(-1).astype(got[4].dtype)).all()
            assert passing.any() or name == "256_taps"  # the largest of so many is above the ceiling
            tolerance = 2e-4 if dtype == "float32" else 1e-11
            for a, b in zip(given, want, strict=True):
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_nan_and_ties(share):
    """NaN wins its window and passes gradients; of equal values the first."""
    for channels in (3, 16, 33):
        for case in (pool2d_case((2, channels, 9, 8), 3, 2, 1), pool2d_case((2, channels, 8, 8), 2)):
            rng = np.random.default_rng(int(100 * share))
            x = rng.integers(-2, 3, case.x_shape).astype(np.float32)
            x[:, ::2] = np.where(rng.random(x[:, ::2].shape) < share, np.float32(np.nan), x[:, ::2])
            mean, var = np.zeros(channels, np.float32), np.ones(channels, np.float32)
            for impl in harness.implementations(OPS[2]):
                for isa in harness.ISAS:
                    harness.check_arguments(OPS[2], impl, case, (x, None, None, mean, var, EPS, case), isa=isa, ceiling=1.5)
            y, index, *_ = passes(x, None, None, case, 1.5, 1)
            got = fused.batch_norm_max_pool2d_forward(x, None, None, EPS, case, ceiling=1.5)
            np.testing.assert_array_equal(got[0], y)
            passing = live(y, 1.5)
            np.testing.assert_array_equal(got[4][passing], index[passing])


def test_moments_take_the_place_of_the_first_pass():
    case = NORM_POOL2D["vgg"]
    x = values(case.x_shape)
    moments = np.zeros((2, case.channels))
    moments[1] = 4.0 * case.batch * case.ih * case.iw
    _, mean, var, *_ = fused.batch_norm_max_pool2d_forward(x, None, None, EPS, case, moments=moments)
    assert not mean.any() and (var == 4).all()


def test_without_the_index():
    for name in ROWS:
        args = values(NORM_POOL2D[name].x_shape), None, None, EPS, NORM_POOL2D[name]
        y, _, _, winners, index = fused.batch_norm_max_pool2d_forward(*args, need_index=False)
        assert winners is None and index is None
        np.testing.assert_array_equal(y, fused.batch_norm_max_pool2d_forward(*args)[0])


def test_refusals():
    case = NORM_POOL2D["vgg"]
    x = values(case.x_shape)
    y, mean, var, winners, index = fused.batch_norm_max_pool2d_forward(x, None, None, EPS, case)
    with pytest.raises(ShapeError, match=r"batch_norm: x must be \(3, 64, 8, 8\)"):
        fused.batch_norm_max_pool2d_forward(x[:2], None, None, EPS, case)
    with pytest.raises(ShapeError, match=r"batch_norm: weight must be \(64,\)"):
        fused.batch_norm_max_pool2d_forward(x, mean[:3], None, EPS, case)
    with pytest.raises(ShapeError, match=r"batch_norm: index must be \(3, 64, 4, 4\)"):
        fused.batch_norm_max_pool2d_backward(y, x, None, mean, var, EPS, winners, index[:1], case)
    with pytest.raises(DtypeError, match="batch_norm: winners must be float32 like x, got float64"):
        fused.batch_norm_max_pool2d_backward(y, x, None, mean, var, EPS, winners.astype("f8"), index, case)
