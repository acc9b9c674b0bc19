"""ops.sigmoid: 1 / (1 + exp(-x)). Kernels: activation_forward, activation_backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .operands import float_tensor


def sigmoid(x) -> Tensor:
    """Return 1 / (1 + exp(-x)) of any shape; the result is saved, dx = dy y (1 - y). Error: 2 roundings."""
    x = float_tensor("sigmoid", "x", x)
    y, saved = _forward(x.data)
    return record("sigmoid", (x,), y, _backward, saved)


def _forward(x):
    y = kernels.activation_forward(x, "sigmoid")
    return y, y


def _backward(dy, saved, case, needs):
    return (kernels.activation_backward(dy, saved, "sigmoid"),)
