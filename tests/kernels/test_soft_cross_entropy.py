"""tests.kernels.test_soft_cross_entropy: cross-entropy of probabilities against the reference; extreme logits, bad arguments."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.kernels import soft_cross_entropy as soft

from .. import harness
from ..cases import CASES, LAYOUT_ROWS, LAYOUTS

OPS = ("soft_cross_entropy_forward", "soft_cross_entropy_backward")


def rows(names=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, names)]


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    harness.check_everywhere(op, impl, CASES[op][name])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS["soft_cross_entropy"]), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, CASES[op][name], layout=layout)


@pytest.mark.parametrize(("op", "impl", "name"), rows(("large-mean-weighted", "large-mean-target")), ids=harness.row_id)
def test_same_bits_for_every_thread_count(op, impl, name):
    for isa in harness.ISAS:
        for dtype in harness.DTYPES:
            harness.check_threads(op, impl, CASES[op][name], isa=isa, dtype=dtype)


@pytest.mark.parametrize("isa", harness.ISAS)
def test_extreme_rows(isa):
    for dtype in harness.DTYPES:
        x, large = np.zeros((6, 19), dtype), np.finfo(dtype).max / 4
        target = np.full((6, 19), 1 / 16, dtype)
        x[0, 3], x[1, 18], x[2, 0], x[3, 7], x[4], x[5, :17] = large, -np.inf, np.inf, np.nan, -large, -np.inf
        target[1, 18], target[5, :17] = 0.5, 0
        found = []
        for forward, backward in (map(harness.reference, OPS), [harness.implementations(op)[0] for op in OPS]):
            with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                loss, kept = harness.call(forward, (x, target), isa, 1)
                found.append((loss, *harness.call(backward, (np.ones(6, dtype), x, target, kept), isa, 1)))
        for want, got in zip(*found, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


X = np.ones((2, 3), np.float32)
D, K = np.ones(2, np.float32), np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: soft.soft_cross_entropy_forward(X[0], X[0]), ShapeError, r"x must be \(samples, classes\), got x.shape=\(3,\)"),
        (lambda: soft.soft_cross_entropy_forward(X, X[1:]), ShapeError, "target must be like x"),
        (lambda: soft.soft_cross_entropy_forward(X, X.astype(float)), DtypeError, "target must be like x"),
        (lambda: soft.soft_cross_entropy_forward(X[:, :0], X[:, :0]), ShapeError, "x must have at least one class"),
        (lambda: soft.soft_cross_entropy_forward(X, X, D), ShapeError, r"weight must be \(3,\), got weight.shape=\(2,\)"),
        (lambda: soft.soft_cross_entropy_forward(X, X, D.astype(float)), DtypeError, "weight must have dtype float32"),
        (lambda: soft.soft_cross_entropy_forward(X, X, None, 0.0, "all"), ArgumentError, "reduction must be one of none, sum"),
        (lambda: soft.soft_cross_entropy_backward(D[:1], X, X, K), ShapeError, r"dloss must be \(2,\), or \(\) when reduced"),
        (lambda: soft.soft_cross_entropy_backward(D, X, X, K[:, :2]), ShapeError, r"kept \(2, 3\), got .* kept.shape=\(2, 2\)"),
        (lambda: soft.soft_cross_entropy_backward(D, X, X, K, None, 0.0, "mean"), ShapeError, r"got dloss.shape=\(2,\)"),
    ],
)
def test_bad_arguments(call, error, text):
    with pytest.raises(error, match="soft_cross_entropy: .*" + text):
        call()
