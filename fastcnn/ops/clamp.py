"""ops.clamp: x limited to an interval. Kernels: activation_forward, activation_backward."""

from __future__ import annotations

import math

from ..autograd import Tensor, record
from ..errors import ArgumentError
from ..kernels import select as kernels
from .operands import float_tensor, number


def clamp(x, min=None, max=None) -> Tensor:
    """Return x limited to [min, max]; one of the numbers may be None. NaN stays NaN.

    The gradient passes where min <= x <= max, as in PyTorch; x is saved.
    """
    x = float_tensor("clamp", "x", x)
    if min is None and max is None:
        raise ArgumentError("clamp: at least one of min and max is needed")
    case = (
        -math.inf if min is None else number("clamp", "min", min),
        math.inf if max is None else number("clamp", "max", max),
    )
    y, saved = _forward(x.data, case)
    return record("clamp", (x,), y, _backward, saved, case)


def _forward(x, case):
    return kernels.activation_forward(x, "clamp", *case), x


def _backward(dy, saved, case, needs):
    return (kernels.activation_backward(dy, saved, "clamp", *case),)
