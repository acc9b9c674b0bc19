"""tests.kernels.test_group_norm: group norm and layer norm kernels against the reference; far means, NaN, bad arguments."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.kernels import group_norm, layer_norm

from .. import harness
from ..cases import CASES, GROUP_NORM, LAYER_NORM, LAYOUT_ROWS, LAYOUTS
from ..problems import EPS

OPS = ("group_norm_forward", "group_norm_backward", "layer_norm_forward", "layer_norm_backward")


def rows(which=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, which and which[op.rsplit("_", 1)[0]])]


@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name, optional):
    harness.check_everywhere(op, impl, CASES[op][name], optional=optional)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, CASES[op][name], layout=layout)


LARGE = {"group_norm": ("large", "large_plane", "wide"), "layer_norm": ("large", "large_groups", "long_rows")}


@pytest.mark.parametrize(("op", "impl", "name"), rows(LARGE), ids=harness.row_id)
def test_same_bits_for_every_thread_count(op, impl, name):
    for isa in harness.ISAS:
        for dtype in harness.DTYPES:
            harness.check_threads(op, impl, CASES[op][name], isa=isa, dtype=dtype)


@pytest.mark.parametrize("isa", harness.ISAS)
def test_variance_far_from_zero(isa):
    """Mean 1000, standard deviation 1: E[x^2] - E[x]^2 in float32 would lose every digit."""
    x = (1000 + np.random.default_rng(0).standard_normal((8, 18, 12, 12))).astype(np.float32)
    x[:, :, :2] = 0  # and the first rows of a chunk are no estimate of the mean
    for impl, args in (
        (harness.implementations(OPS[0])[0], (x[:, :, 3:], 3, None, None, EPS)),
        (harness.implementations(OPS[0])[0], (x, 3, None, None, EPS)),
        (harness.implementations(OPS[2])[0], (x[:, :, 3:].reshape(8, -1), None, None, EPS)),
    ):
        _, mean, rstd = harness.reference(impl.function.__name__).function(*args)
        _, got_mean, got_rstd = harness.call(impl, args, isa, 2)
        np.testing.assert_allclose(got_mean, mean, rtol=1e-6)
        np.testing.assert_allclose(got_rstd, rstd, rtol=1e-4)


@pytest.mark.parametrize("op", OPS)
def test_nan_stays_in_its_group(op):
    case = ((2, 35, 4, 3), 5) if op.startswith("group") else ((6, 35), 5)
    args = list(harness.arguments(op, case))
    for lane in range(35):
        poisoned = args[0].copy()
        poisoned[1, lane] = np.nan
        for impl in harness.implementations(op):
            isa = harness.ISAS[lane % len(harness.ISAS)]
            with np.errstate(invalid="ignore"):
                got = harness.call(impl, (poisoned, *args[1:]), isa, 1)
                want = harness.as_tuple(harness.reference(op).function(poisoned, *args[1:]))
            for g, w in zip(got, want, strict=True):
                np.testing.assert_array_equal(np.isnan(g), np.isnan(w))


@pytest.mark.parametrize("size", [(5, 64, 130, 129), (2, 64, 130, 131)])
def test_outputs_past_the_caches(size):
    """Whole vectors and images of whole vectors are stored past the caches; each image equals the image alone."""
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((size[0], *size[2:], size[1]), np.float32).transpose(0, 3, 1, 2) for _ in range(2))
    weight, bias = rng.standard_normal((2, size[1]), np.float32)
    y, mean, rstd = group_norm.group_norm_forward(x, 8, weight, bias, EPS, threads=2)
    dx, _, _ = group_norm.group_norm_backward(dy, x, 8, weight, mean, rstd, threads=2)
    for n in range(size[0]):
        part, one = x[n : n + 1], dy[n : n + 1]
        np.testing.assert_array_equal(group_norm.group_norm_forward(part, 8, weight, bias, EPS)[0], y[n : n + 1])
        got = group_norm.group_norm_backward(one, part, 8, weight, mean[n : n + 1], rstd[n : n + 1])[0]
        np.testing.assert_array_equal(got, dx[n : n + 1])


def test_long_results_of_layer_norm_past_the_caches():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 1500, 768), np.float32)
    weight, bias = rng.standard_normal((2, 768), np.float32)
    y, mean, rstd = layer_norm.layer_norm_forward(x, weight, bias, EPS, threads=2)
    dx, _, _ = layer_norm.layer_norm_backward(dy, x, weight, mean, rstd, threads=2)
    for part in (slice(0, 700), slice(700, 1500)):
        np.testing.assert_array_equal(layer_norm.layer_norm_forward(x[part], weight, bias, EPS)[0], y[part])
        got = layer_norm.layer_norm_backward(dy[part], x[part], weight, mean[part], rstd[part])[0]
        np.testing.assert_array_equal(got, dx[part])


F4, F2, V = np.ones((2, 4, 3, 3), np.float32), np.ones((3, 4), np.float32), np.ones(4, np.float32)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: group_norm.group_norm_forward(F4, 3, None, None, EPS),
            ArgumentError,
            "groups must divide the 4 channels, got 3",
        ),
        (lambda: group_norm.group_norm_forward(F2, 2, None, None, EPS), ShapeError, "x must have 4 axes"),
        (
            lambda: group_norm.group_norm_forward(F4, 2, V[:3], None, EPS),
            ShapeError,
            r"weight must have shape \(4,\), got \(3,\)",
        ),
        (lambda: group_norm.group_norm_forward(F4, 2, None, V.astype(float), EPS), DtypeError, "bias must have x's dtype"),
        (lambda: group_norm.group_norm_backward(F4[1:], F4, 2, None, F2, F2), ShapeError, "dy must have shape"),
        (lambda: group_norm.group_norm_backward(F4, F4, 2, None, F2, F2), ShapeError, r"mean must have shape \(2, 2\)"),
        (lambda: layer_norm.layer_norm_forward(F4, None, None, EPS), ShapeError, "x must be .rows, values."),
        (lambda: layer_norm.layer_norm_forward(F2, None, None, EPS, 3), ArgumentError, "groups must divide the 4 values"),
        (lambda: layer_norm.layer_norm_forward(F2, V, V[1:], EPS), ShapeError, "bias must have shape"),
        (lambda: layer_norm.layer_norm_backward(F2, F2, V, V, V), ShapeError, r"mean must have shape \(3, 1\)"),
    ],
)
def test_bad_arguments(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_the_tables_hold_tails():
    assert any(shape[1] % 16 for shape, _ in GROUP_NORM.values()) and any(shape[1] % 16 for shape, _ in LAYER_NORM.values())
