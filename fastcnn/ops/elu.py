"""ops.elu: x, or alpha (exp(x) - 1) below zero. Papers: [Clevert2016]. Kernels: activation_forward, activation_backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .operands import float_tensor, number


def elu(x, alpha=1.0) -> Tensor:
    """Return x above 0 and alpha (exp(x) - 1) below, of any shape; x is saved. [Clevert2016]"""
    x = float_tensor("elu", "x", x)
    case = number("elu", "alpha", alpha)
    y, saved = _forward(x.data, case)
    return record("elu", (x,), y, _backward, saved, case)


def _forward(x, case):
    y = kernels.activation_forward(x, "elu", case)
    return y, x


def _backward(dy, saved, case, needs):
    return (kernels.activation_backward(dy, saved, "elu", case),)
