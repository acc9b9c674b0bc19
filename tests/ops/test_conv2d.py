"""tests.ops.test_conv2d: gradients of every geometry, only what is needed, errors."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.ops import conv2d
from fastcnn.reference.conv2d import conv2d_forward

from ..cases import CONV2D_BASIC, LAYOUTS, lay
from .draws import gradcheck, real


def options(case):
    return {
        "stride": (case.sh, case.sw),
        "padding": (case.pt, case.pb, case.pl, case.pr),
        "dilation": (case.dh, case.dw),
        "groups": case.groups,
    }


def operands(case):
    return real(*case.x_shape), real(*case.w_shape, seed=1), real(case.co, seed=2)


@pytest.mark.parametrize("case", CONV2D_BASIC.values(), ids=CONV2D_BASIC)
def test_gradient(case):
    assert gradcheck(lambda x, w, b: conv2d(x, w, b, **options(case)), operands(case))


@pytest.mark.parametrize(
    "name", ["strided", "padded_asymmetric", "dilated_by_axis", "grouped", "depthwise", "1x1_strided", "lenet_5x5"]
)
def test_every_element_of_the_gradient(name):
    case = CONV2D_BASIC[name]._replace(batch=1)
    x, w, b = operands(case)
    small = {"groups": case.groups, "stride": (case.sh, case.sw), "dilation": (case.dh, case.dw)}
    assert gradcheck(lambda x: conv2d(x, w, b, **options(case)), x[:, :, :4, :4] if name == "1x1_strided" else x, mode="full")
    assert gradcheck(lambda b: conv2d(x, w, b, **small, padding=case.kh * case.dh), b, mode="full")


@pytest.mark.parametrize("case", CONV2D_BASIC.values(), ids=CONV2D_BASIC)
def test_value(case):
    x, w, b = operands(case)
    np.testing.assert_allclose(conv2d(x, w, b, **options(case)).data, conv2d_forward(x, w, b, case), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_memory_layout(layout):
    case = CONV2D_BASIC["strided"]
    x, w, b = operands(case)
    expected = gradients(x, w, b, case)
    for got, want in zip(gradients(lay(x, layout), lay(w, layout), lay(b, layout), case), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def gradients(x, w, b, case):
    tensors = [Tensor(a, requires_grad=True) for a in (x, w, b)]
    y = conv2d(*tensors, **options(case))
    y.backward(real(*y.shape, seed=3))
    return [y.data, *(t.grad.data for t in tensors)]


@pytest.mark.parametrize("needs", [(True, False, False), (False, True, False), (False, False, True), (False, True, True)])
def test_only_needed_gradients_are_computed(needs, monkeypatch):
    from fastcnn import kernels

    names = ("conv2d_backward_data", "conv2d_backward_weight", "conv2d_backward_bias")
    for name, needed in zip(names, needs, strict=True):
        if not needed:
            monkeypatch.setattr(kernels, name, None)
    tensors = [Tensor(a, requires_grad=need) for a, need in zip(operands(CONV2D_BASIC["plain"]), needs, strict=True)]
    conv2d(*tensors).sum().backward()
    assert [t.grad is not None for t in tensors] == list(needs)


def test_channels_last_comes_out_and_back():
    x, w, b = (Tensor(a, requires_grad=True) for a in operands(CONV2D_BASIC["tail"]))
    y = conv2d(x, w, b, padding=1)
    y.sum().backward()
    for a in (y.data, x.grad.data):
        assert a.transpose(0, 2, 3, 1).flags.c_contiguous


def test_options_may_be_lists():
    x, w, b = operands(CONV2D_BASIC["plain"])
    assert np.array_equal(conv2d(x, w, b, stride=[1, 2], padding=[1, 1]).data, conv2d(x, w, b, stride=(1, 2), padding=1).data)


@pytest.mark.parametrize("algorithm", ["direct", "winograd", "reference"])
def test_a_named_algorithm_runs_in_every_direction(algorithm):
    x, w, b = real(2, 8, 12, 12), real(16, 8, 3, 3, seed=1), real(16, seed=2)
    assert gradcheck(lambda x, w, b: conv2d(x, w, b, padding=1, algorithm=algorithm), (x, w, b))


X, W = np.ones((2, 8, 6, 6)), np.ones((4, 8, 3, 3))
SHAPES = r"\(x.shape=\(2, 8, 6, 6\), weight.shape=\(4, 8, 3, 3\)\)"
BAD = [
    (
        X[:, :6],
        W,
        {},
        ShapeError,
        r"weight expects 8 input channels, x has 6 \(x.shape=\(2, 6, 6, 6\), weight.shape=\(4, 8, 3, 3\)\)",
    ),
    (X, W, {"groups": 2}, ShapeError, "weight expects 16 input channels"),
    (
        X,
        W[:, :4],
        {"groups": 2, "bias": np.ones(3)},
        ShapeError,
        r"bias must have shape \(4,\), got bias.shape=\(3,\) \(x.shape=",
    ),
    (X, np.ones((3, 4, 3, 3)), {"groups": 2}, ShapeError, "3 output channels cannot be split into 2 groups"),
    (X[:, :, :2], W, {}, ShapeError, "kernel height 3 .*is larger than the padded image height 2"),
    (X, W, {"dilation": 3}, ShapeError, "kernel height 7 .*is larger than the padded image height 6 " + SHAPES),
    (X[0], W, {}, ShapeError, r"x must have 4 axes \(batch, channels, height, width\), got x.shape=\(8, 6, 6\)"),
    (X, W[0], {}, ShapeError, r"weight must have 4 axes .*got weight.shape=\(8, 3, 3\)"),
    (X, W[:0], {}, ShapeError, "weight must not be empty"),
    (X, W[:, :, :0], {}, ShapeError, "weight must not be empty"),
    (X[:, :, :0], W, {"padding": 2}, ShapeError, "x has an empty height"),
    (X, W, {"stride": 0}, ArgumentError, "stride must be between 1 and 2147483647, got 0"),
    (X, W, {"stride": (1, -1)}, ArgumentError, "stride must be between 1"),
    (X, W, {"stride": 1.5}, ArgumentError, "stride must be an int or a pair of ints, got 1.5"),
    (X, W, {"stride": (1, 1, 1)}, ArgumentError, "stride must be an int or a pair of ints"),
    (X, W, {"padding": -1}, ArgumentError, "padding must be between 0 and 2147483647, got -1"),
    (X, W, {"padding": "half"}, ArgumentError, "padding must be 'valid', 'same'"),
    (X, W, {"padding": "same", "stride": 2}, ArgumentError, "padding='same' needs stride 1"),
    (X, W, {"padding": None}, ArgumentError, "padding must be an int or a pair of ints"),
    (X, W, {"padding": 2**31 - 1}, ShapeError, "the padded image height"),
    (X, W, {"padding": 2**30 - 9}, ShapeError, "the output .* is too large"),
    (X, W, {"dilation": 0}, ArgumentError, "dilation must be between 1"),
    (X, W, {"dilation": 2**31}, ArgumentError, "dilation must be between 1"),
    (X, W, {"groups": 0}, ArgumentError, "groups must be at least 1, got 0"),
    (X, W, {"groups": "a"}, ArgumentError, "groups must be an int, got 'a'"),
    (X, W.astype("f"), {}, DtypeError, r"x and weight must have the same dtype, got float64 and float32 \(x.shape="),
    (X, W, {"bias": np.ones(4, "f")}, DtypeError, "x and bias must have the same dtype"),
    (X.astype(np.uint8), W, {}, DtypeError, r"x must be float32 or float64, got uint8 \(x.shape=\(2, 8, 6, 6\)\)"),
    (X.astype(complex), W, {}, DtypeError, "x: .*got complex128"),
    (X.astype(object), W, {}, DtypeError, "x: .*got object"),
    (X, W, {"algorithm": "fft"}, ArgumentError, "algorithm must be"),
    (X, W, {"algorithm": "winograd", "stride": 2}, ArgumentError, "algorithm must be"),
    (None, W, {}, DtypeError, "x must be a tensor or an array, got NoneType"),
    (X, None, {}, DtypeError, "weight must be a tensor or an array, got NoneType"),
    ([[1, 2], [3]], W, {}, ArgumentError, "x: .*list cannot be read as an array"),
]


@pytest.mark.parametrize(("x", "weight", "others", "error", "text"), BAD)
def test_bad_input(x, weight, others, error, text):
    with pytest.raises(error, match="^conv2d(_forward)?: " + text):
        conv2d(x, weight, **others)
