"""ops.silu: x / (1 + exp(-x)). Papers: [Elfwing2018]. Kernels: activation_forward, activation_backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .operands import float_tensor


def silu(x) -> Tensor:
    """Return x / (1 + exp(-x)) of any shape, also called swish; x is saved. [Elfwing2018]"""
    x = float_tensor("silu", "x", x)
    y, saved = _forward(x.data)
    return record("silu", (x,), y, _backward, saved)


def _forward(x):
    y = kernels.activation_forward(x, "silu")
    return y, x


def _backward(dy, saved, case, needs):
    return (kernels.activation_backward(dy, saved, "silu"),)
