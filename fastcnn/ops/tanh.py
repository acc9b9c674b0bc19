"""ops.tanh: the hyperbolic tangent. Kernels: activation_forward, activation_backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .operands import float_tensor


def tanh(x) -> Tensor:
    """Return tanh(x) of any shape; the result is saved, dx = dy (1 - y^2). Error: 3 roundings."""
    x = float_tensor("tanh", "x", x)
    y, saved = _forward(x.data)
    return record("tanh", (x,), y, _backward, saved)


def _forward(x):
    y = kernels.activation_forward(x, "tanh")
    return y, y


def _backward(dy, saved, case, needs):
    return (kernels.activation_backward(dy, saved, "tanh"),)
