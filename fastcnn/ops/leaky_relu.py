"""ops.leaky_relu: x, or a small part of it below zero. Papers: [Maas2013]. Kernels: activation_forward, activation_backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .operands import float_tensor, number


def leaky_relu(x, negative_slope=0.01) -> Tensor:
    """Return x above 0 and negative_slope * x below, of any shape; x is saved. [Maas2013]"""
    x = float_tensor("leaky_relu", "x", x)
    case = number("leaky_relu", "negative_slope", negative_slope)
    y, saved = _forward(x.data, case)
    return record("leaky_relu", (x,), y, _backward, saved, case)


def _forward(x, case):
    y = kernels.activation_forward(x, "leaky_relu", case)
    return y, x


def _backward(dy, saved, case, needs):
    return (kernels.activation_backward(dy, saved, "leaky_relu", case),)
