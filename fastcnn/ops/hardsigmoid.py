"""ops.hardsigmoid: a sigmoid of three straight lines. Papers: [Howard2019]. Kernels: activation_forward, activation_backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .operands import float_tensor


def hardsigmoid(x) -> Tensor:
    """Return min(max(x + 3, 0), 6) / 6 of any shape; x is saved. [Howard2019]"""
    x = float_tensor("hardsigmoid", "x", x)
    y, saved = _forward(x.data)
    return record("hardsigmoid", (x,), y, _backward, saved)


def _forward(x):
    y = kernels.activation_forward(x, "hardsigmoid")
    return y, x


def _backward(dy, saved, case, needs):
    return (kernels.activation_backward(dy, saved, "hardsigmoid"),)
