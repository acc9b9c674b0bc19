"""tests.kernels.test_softmax: softmax and loss kernels against the reference; extreme values, NaN, bad arguments."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.kernels import loss, softmax

from .. import harness
from ..cases import CASES, LAYOUT_ROWS, LAYOUTS

OPS = ("softmax_forward", "softmax_backward", "loss_forward", "loss_backward")


def rows(which=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, which and which[op.rsplit("_", 1)[0]])]


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    harness.check_everywhere(op, impl, CASES[op][name])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, CASES[op][name], layout=layout)


LARGE = {"softmax": ("large", "log_large"), "loss": ("square-sum-large", "huber-none-large", "logits-mean-large")}


@pytest.mark.parametrize(("op", "impl", "name"), rows(LARGE), ids=harness.row_id)
def test_same_bits_for_every_thread_count(op, impl, name):
    for isa in harness.ISAS:
        for dtype in harness.DTYPES:
            harness.check_threads(op, impl, CASES[op][name], isa=isa, dtype=dtype)


@pytest.mark.parametrize("isa", harness.ISAS)
@pytest.mark.parametrize("logarithm", [False, True])
def test_extreme_rows(isa, logarithm):
    op = "softmax_forward"
    for dtype in harness.DTYPES:
        x, large = np.zeros((6, 19), dtype), np.finfo(dtype).max / 4
        x[0, 3], x[1, 18], x[2, 0], x[3, 7], x[4], x[5, :17] = large, -np.inf, np.inf, np.nan, -large, -np.inf
        with np.errstate(invalid="ignore", divide="ignore"):
            want = harness.reference(op).function(x, logarithm)
        (got,) = harness.call(harness.implementations(op)[0], (x, logarithm), isa, 1)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", loss.KINDS)
def test_nan_and_inf_in_every_lane(kind):
    for op in OPS[2:]:
        impl = harness.implementations(op)[0]
        case = kind, 1.5, 1.0, "none", (2, 35)
        args = harness.arguments(op, case)
        at = 0 if op.endswith("forward") else 1
        for lane in range(35):
            for value in (np.nan, np.inf, -np.inf):
                poisoned = args[at].copy()
                poisoned[1, lane] = value
                isa = harness.ISAS[lane % len(harness.ISAS)]
                harness.check_arguments(op, impl, case, (*args[:at], poisoned, *args[at + 1 :]), isa=isa, count=1)


X = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: softmax.softmax_forward(X[0]), ShapeError, "x must be .rows, values."),
        (lambda: softmax.softmax_backward(X[1:], X), ShapeError, "dy must be like y"),
        (lambda: softmax.softmax_backward(X.astype(float), X), DtypeError, "dy must be like y"),
        (lambda: loss.loss_forward(X, X[1:], "square"), ShapeError, "target must be like x"),
        (lambda: loss.loss_forward(X, X.astype(float), "square"), DtypeError, "target must be like x"),
        (lambda: loss.loss_forward(X, X, "cubic"), ArgumentError, "kind must be one of square, absolute, huber, logits"),
        (lambda: loss.loss_forward(X, X, "square", 0, 1, "all"), ArgumentError, "reduction must be one of none, sum, mean"),
        (lambda: loss.loss_backward(X, X, X, "square"), ShapeError, r"dy must have shape \(\) when reduced"),
        (lambda: loss.loss_backward(X[1:], X, X, "square", 0, 1, "none"), ShapeError, "dy must be like x"),
    ],
)
def test_bad_arguments(call, error, text):
    with pytest.raises(error, match=text):
        call()
