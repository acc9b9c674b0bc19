"""tests.test_errors: the exceptions, and that bad input to a public function ends in one of them, with the reason in its text."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import errors
from fastcnn.errors import ArgumentError, DtypeError, FastcnnError, ShapeError

X = np.ones((2, 8, 10, 12), np.float32)
W = np.ones((16, 8, 3, 3), np.float32)
LOGITS = np.zeros((4, 10), np.float32)
LABELS = np.array([0, 1, 2, 9])

BASES = {
    "ShapeError": ValueError,
    "ArgumentError": ValueError,
    "DtypeError": TypeError,
    "GradientError": RuntimeError,
    "StateError": RuntimeError,
    "FileFormatError": ValueError,
    "MissingExtraError": ImportError,
}


def test_every_error_has_a_builtin_base():
    raised = {name for name, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)}
    assert raised == {*BASES, "FastcnnError", "CaptureWarning", "PerformanceWarning"}
    for name, base in BASES.items():
        error = getattr(errors, name)
        assert issubclass(error, FastcnnError) and issubclass(error, base) and error.__doc__
    assert issubclass(errors.PerformanceWarning, UserWarning) and issubclass(errors.CaptureWarning, UserWarning)


@pytest.mark.parametrize("name", BASES)
def test_errors_cross_process_borders(name):
    error = pickle.loads(pickle.dumps(getattr(errors, name)("conv2d: text")))
    assert type(error).__name__ == name and str(error) == "conv2d: text"


def objects(shape):
    return np.full(shape, None, dtype=object)


BAD = {
    "conv2d: channels": (lambda: F.conv2d(X, W[:, :5]), ShapeError, "weight expects 5 input channels, x has 8"),
    "conv2d: kernel above image": (lambda: F.conv2d(X[:, :, :2], W), ShapeError, "larger than the padded image"),
    "conv2d: stride 0": (lambda: F.conv2d(X, W, stride=0), ArgumentError, "stride must be between 1"),
    "conv2d: negative padding": (lambda: F.conv2d(X, W, padding=-1), ArgumentError, "padding must be between 0"),
    "conv2d: rank of x": (lambda: F.conv2d(X[0], W), ShapeError, "x must have 4 axes"),
    "conv2d: rank of weight": (lambda: F.conv2d(X, W[0]), ShapeError, "weight must have 4 axes"),
    "conv2d: bias": (lambda: F.conv2d(X, W, np.ones(8, np.float32)), ShapeError, r"bias must have shape \(16,\)"),
    "conv2d: scalar bias": (lambda: F.conv2d(X, W, np.float32(1)), ShapeError, r"bias must have shape \(16,\)"),
    "conv2d: integers": (lambda: F.conv2d(X.astype(int), W), DtypeError, "x must be float32 or float64, got int64"),
    "conv2d: mixed floats": (lambda: F.conv2d(X, W.astype(float)), DtypeError, "same dtype, got float32 and float64"),
    "conv2d: half": (lambda: F.conv2d(X.astype(np.float16), W), DtypeError, "float16"),
    "conv2d: complex": (lambda: F.conv2d(X.astype(complex), W), DtypeError, "complex128"),
    "conv2d: objects": (lambda: F.conv2d(objects(X.shape), W), DtypeError, "object"),
    "conv2d: text": (lambda: F.conv2d("x", W), DtypeError, "must be a tensor or an array, got str"),
    "conv2d: None": (lambda: F.conv2d(None, W), DtypeError, "must be a tensor or an array, got NoneType"),
    "conv2d: ragged": (lambda: F.conv2d([[1.0], [1.0, 2.0]], W), ArgumentError, "cannot be read as an array"),
    "conv2d: groups": (lambda: F.conv2d(X, W, groups=3), ShapeError, r"weight expects 24 input channels"),
    "max_pool2d: kernel": (lambda: F.max_pool2d(X, 11), ShapeError, "kernel height 11 is larger"),
    "max_pool2d: padding": (lambda: F.max_pool2d(X, 2, padding=2), ArgumentError, "at most half of the kernel"),
    "max_pool2d: rank": (lambda: F.max_pool2d(X[0], 2), ShapeError, "x must have 4 axes"),
    "max_pool2d: integers": (lambda: F.max_pool2d(X.astype(int), 2), DtypeError, "float32 or float64, got int64"),
    "avg_pool2d: stride 0": (lambda: F.avg_pool2d(X, 2, stride=0), ArgumentError, "stride must be between 1"),
    "adaptive_avg_pool2d: size 0": (lambda: F.adaptive_avg_pool2d(X, 0), ArgumentError, "adaptive_avg_pool2d"),
    "adaptive_avg_pool2d: rank": (lambda: F.adaptive_avg_pool2d(X[0, 0], 1), ShapeError, "x must have 4 axes"),
    "linear: features": (lambda: F.linear(LOGITS, np.ones((3, 9), np.float32)), ShapeError, "weight expects 9 input features"),
    "linear: rank": (lambda: F.linear(LOGITS, LOGITS[0]), ShapeError, "weight must have 2 axes"),
    "linear: bias": (lambda: F.linear(LOGITS, LOGITS, LOGITS), ShapeError, "bias must have shape"),
    "matmul: sizes": (lambda: fc.matmul(fc.tensor(LOGITS), fc.tensor(LOGITS)), ShapeError, "matmul"),
    "cross_entropy: NaN labels": (lambda: F.cross_entropy(LOGITS, np.full(4, np.nan)), DtypeError, "target must be integers"),
    "cross_entropy: label -1": (lambda: F.cross_entropy(LOGITS, LABELS - 1), ArgumentError, "between 0 and 9, got -1"),
    "cross_entropy: label 10": (lambda: F.cross_entropy(LOGITS, LABELS + 1), ArgumentError, "between 0 and 9, got 10"),
    "cross_entropy: number of labels": (lambda: F.cross_entropy(LOGITS, LABELS[:3]), ShapeError, r"target\.shape=\(3,\)"),
    "cross_entropy: smoothing": (
        lambda: F.cross_entropy(LOGITS, LABELS, label_smoothing=1.5),
        ArgumentError,
        "label_smoothing must be between 0 and 1, got 1.5",
    ),
    "cross_entropy: reduction": (lambda: F.cross_entropy(LOGITS, LABELS, reduction="max"), ArgumentError, "reduction must be"),
    "cross_entropy: rank": (lambda: F.cross_entropy(X, LABELS), ShapeError, r"x must be \(batch, classes, ...\)"),
    "tensor: dtype": (lambda: fc.tensor([1j]), DtypeError, "complex128"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    call, error, text = BAD[name]
    with pytest.raises(error, match=text) as caught:
        call()
    assert str(caught.value).startswith(name.split(":")[0])


@pytest.mark.parametrize("batch", [0, 1])
def test_empty_batch_is_allowed(batch):
    """As in PyTorch: shapes follow, gradients of the weights are zero."""
    x, w = fc.tensor(X[:batch], requires_grad=True), fc.tensor(W, requires_grad=True)
    y = F.max_pool2d(F.relu(F.conv2d(x, w, padding=1)), 2)
    assert y.shape == (batch, 16, 5, 6)
    F.adaptive_avg_pool2d(y, 1).sum().backward()
    assert x.grad.shape == x.shape and w.grad.shape == w.shape
    assert batch or not w.grad.numpy().any()


def test_refused_arguments_are_unchanged():
    x, w = X.copy(), W.copy()
    with pytest.raises(ShapeError):
        F.conv2d(x, w, np.ones(3, np.float32))
    assert (x == X).all() and (w == W).all()
