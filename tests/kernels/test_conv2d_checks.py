"""tests.kernels.test_conv2d_checks: a convolution kernel refuses arrays that do not fit its case, and never reads past them."""

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.kernels.conv2d_direct import conv2d_direct_backward_data, conv2d_direct_forward
from fastcnn.kernels.conv2d_direct_weight import conv2d_direct_backward_weight
from fastcnn.kernels.conv2d_winograd import conv2d_winograd_backward_data, conv2d_winograd_forward
from fastcnn.kernels.conv2d_winograd_weight import conv2d_winograd_backward_weight
from fastcnn.kernels.gemm import gemm
from fastcnn.shapes import conv2d_case

CASE = conv2d_case((2, 8, 6, 6), (16, 8, 3, 3), 1, 1)
FORWARD = (conv2d_direct_forward, conv2d_winograd_forward)
BACKWARD_DATA = (conv2d_direct_backward_data, conv2d_winograd_backward_data)
BACKWARD_WEIGHT = (conv2d_direct_backward_weight, conv2d_winograd_backward_weight)


def draw(shape, dtype="f4"):
    return np.ones(shape, dtype)


X, W, B, DY = draw(CASE.x_shape), draw(CASE.w_shape), draw(16), draw(CASE.y_shape)


@pytest.mark.parametrize("forward", FORWARD)
@pytest.mark.parametrize(
    ("arrays", "error", "text"),
    [
        ((X[:, :4], W, B), ShapeError, "x must have shape"),
        ((X, W[:8], B), ShapeError, "weight must have shape"),
        ((X, W, B[:3]), ShapeError, "bias must have shape"),
        ((X, W.astype("f8"), B), DtypeError, "weight must have dtype float32, got float64"),
        ((X, W, B.astype("f8")), DtypeError, "bias must have dtype float32, got float64"),
        ((X.astype("i4"), W, B), DtypeError, "x must be a float32 or float64 array"),
    ],
)
def test_forward_refuses(forward, arrays, error, text):
    with pytest.raises(error, match=f"conv2d: {text}"):
        forward(*arrays, CASE)


@pytest.mark.parametrize("backward", BACKWARD_DATA)
def test_backward_data_refuses(backward):
    with pytest.raises(ShapeError, match="dy must have shape"):
        backward(DY[:1], W, CASE)
    with pytest.raises(DtypeError, match="weight must have dtype"):
        backward(DY, W.astype("f8"), CASE)


@pytest.mark.parametrize("backward", BACKWARD_WEIGHT)
def test_backward_weight_refuses(backward):
    with pytest.raises(ShapeError, match="x must have shape"):
        backward(DY, X[:, :, :5], CASE)
    with pytest.raises(DtypeError, match="x must have dtype"):
        backward(DY, X.astype("f8"), CASE)


@pytest.mark.parametrize("threads", [-5, 0, 10**6])
def test_any_thread_count_gives_the_same_result(threads):
    for forward in FORWARD:
        assert np.array_equal(forward(X, W, B, CASE, threads=threads), forward(X, W, B, CASE, threads=1))


def test_an_unknown_schedule_is_an_error():
    with pytest.raises(ArgumentError, match="schedule must be"):
        conv2d_winograd_forward(X, W, B, CASE, schedule="typo")


def test_gemm_refuses_other_dtypes():
    with pytest.raises(DtypeError, match="gemm: bias must have dtype float32"):
        gemm(draw((4, 5)), draw((5, 6)), np.ones(6))
    with pytest.raises(DtypeError, match="gemm: b must have dtype float32"):
        gemm(draw((4, 5)), np.ones((5, 6)))
