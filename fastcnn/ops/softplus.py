"""ops.softplus: a smooth ReLU. Kernels: activation_forward, activation_backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ArgumentError
from ..kernels import select as kernels
from .operands import float_tensor, number


def softplus(x, beta=1.0, threshold=20.0) -> Tensor:
    """Return log(1 + exp(beta x)) / beta of any shape, x itself where beta x is above `threshold`; x is saved.

    Raises ArgumentError unless beta is above 0.
    """
    x = float_tensor("softplus", "x", x)
    case = number("softplus", "beta", beta, 0), number("softplus", "threshold", threshold)
    if not case[0]:
        raise ArgumentError(f"softplus: beta must be above 0, got {beta!r}")
    y, saved = _forward(x.data, case)
    return record("softplus", (x,), y, _backward, saved, case)


def _forward(x, case):
    y = kernels.activation_forward(x, "softplus", *case)
    return y, x


def _backward(dy, saved, case, needs):
    return (kernels.activation_backward(dy, saved, "softplus", *case),)
