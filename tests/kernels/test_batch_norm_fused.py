"""tests.kernels.test_batch_norm_fused: batch norm with the ReLU and the addition that follow it, in one pass."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.reference import batch_norm as truth
from fastcnn.reference.relu import relu_forward

from .. import harness
from ..cases import BATCH_NORM, LAYOUTS, lay
from ..problems import EPS

FORWARD, BACKWARD, INFERENCE = "batch_norm_forward", "batch_norm_backward", "batch_norm_inference"
FUSED = [(relu, added) for relu in (True, False) for added in (True, False)]


def rows(*ops):
    return [(op, impl, name) for op in ops for impl, name in harness.rows(op) if impl.compiled]


def residual(shape, dtype):
    return np.random.default_rng(9).standard_normal(shape).astype(dtype)


def check(op, impl, case, args, **options):
    for isa in harness.ISAS:
        for count in (1, 2):
            harness.check_arguments(op, impl, case, args, isa=isa, count=count, **options)


@pytest.mark.parametrize(("relu", "added"), FUSED)
@pytest.mark.parametrize(("op", "impl", "name"), rows(FORWARD, INFERENCE), ids=harness.row_id)
def test_relu_and_addition(op, impl, name, relu, added):
    shape = BATCH_NORM[name]
    options = {"relu": relu, "ceiling": 0.75} if relu and added else {"relu": relu}
    for dtype in harness.DTYPES:
        for optional in (True, False):
            args = harness.arguments(op, shape, dtype, optional=optional)
            check(op, impl, shape, args, **options, residual=residual(shape, dtype) if added else None)


@pytest.mark.parametrize("ceiling", [np.inf, 0.75])
@pytest.mark.parametrize("given", ["bias", "output"])
@pytest.mark.parametrize(("op", "impl", "name"), rows(BACKWARD), ids=harness.row_id)
def test_backward_through_the_relu(op, impl, name, given, ceiling):
    """The ReLU's mask comes from the saved output (then its gradient is returned as well) or is computed again from x."""
    shape = BATCH_NORM[name]
    for dtype in harness.DTYPES:
        for optional in (True, False):
            args = harness.arguments(op, shape, dtype, optional=optional)
            _, x, weight, mean, var, _ = args
            bias = None if weight is None else residual(shape[1], dtype)
            if given == "output":
                y = relu_forward(truth.batch_norm_inference(x, weight, bias, mean, var, EPS) + residual(shape, dtype))
                check(op, impl, shape, args, relu=True, y=np.minimum(y, y.dtype.type(ceiling)), ceiling=ceiling)
            elif np.prod(shape) > shape[1]:  # one value per channel is its own mean: the sign of 0 + bias, or of nothing
                check(op, impl, shape, args, relu=True, bias=bias, ceiling=ceiling)


@pytest.mark.parametrize("given", ["nothing", "bias", "output"])
@pytest.mark.parametrize(("op", "impl", "name"), rows(BACKWARD), ids=harness.row_id)
def test_backward_of_two_gradients(op, impl, name, given):
    """As of their sum, bit for bit, and the sum behind the ReLU is returned."""
    shape = BATCH_NORM[name]
    for dtype in harness.DTYPES:
        dy, x, weight, mean, var, eps = harness.arguments(op, shape, dtype)
        also, options = residual(shape, dtype), {}
        if given == "bias":
            options = {"relu": True, "bias": residual(shape[1], dtype), "ceiling": 0.75}
        if given == "output":
            options = {"relu": True, "y": relu_forward(x), "ceiling": 0.75}
        if given != "bias" or np.prod(shape) > shape[1]:
            check(op, impl, shape, (dy, x, weight, mean, var, eps), **options, also=also)
        for isa in harness.ISAS:
            got = harness.call(impl, (dy, x, weight, mean, var, eps), isa, 2, **options, also=also)
            want = harness.call(impl, (dy + also, x, weight, mean, var, eps), isa, 1, **options)
            assert len(got) == 4
            for a, b in zip(got, want, strict=False):
                assert np.array_equal(a, b)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", [FORWARD, INFERENCE])
def test_layout_of_the_residual(op, layout):
    for shape in (BATCH_NORM["images"], BATCH_NORM["vectors"]):
        args = harness.arguments(op, shape)
        for impl in harness.implementations(op):
            check(op, impl, shape, args, relu=True, residual=lay(residual(shape, "float32"), layout))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_of_the_saved_output(layout):
    for shape in (BATCH_NORM["images"], BATCH_NORM["vectors"]):
        args = harness.arguments(BACKWARD, shape)
        for impl in harness.implementations(BACKWARD):
            check(BACKWARD, impl, shape, args, relu=True, y=lay(np.maximum(residual(shape, "float32"), 0), layout))
            check(BACKWARD, impl, shape, args, also=lay(residual(shape, "float32"), layout))


@pytest.mark.parametrize("op", [FORWARD, INFERENCE])
def test_nan_passes_the_fused_relu(op):
    shape = (2, 19, 4, 3)
    x, *rest = harness.arguments(op, shape)
    for lane in range(shape[1]):
        added = residual(shape, "float32")
        added[0, lane, 1, 2] = np.nan
        for impl in harness.implementations(op):
            isa = harness.ISAS[lane % len(harness.ISAS)]
            harness.check_arguments(op, impl, shape, (x, *rest), isa=isa, relu=True, ceiling=1.0, residual=added)


@pytest.mark.parametrize("name", ["large", "long_vectors"])
def test_same_bits_for_every_thread_count(name):
    shape = BATCH_NORM[name]
    for op, options in ((FORWARD, {"residual": residual(shape, "float32")}), (BACKWARD, {"y": residual(shape, "float32")})):
        args = harness.arguments(op, shape)
        for impl in harness.implementations(op):
            for isa in harness.ISAS:
                digests = {harness.digest(harness.call(impl, args, isa, n, relu=True, **options)) for n in (1, 2, 3, 4)}
                assert len(digests) == 1
