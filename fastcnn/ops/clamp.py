"""ops.clamp: x limited to an interval; relu6 is clamp(x, 0, 6)."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..errors import ArgumentError
from .operands import float_tensor, number


def clamp(x, min=None, max=None) -> Tensor:
    """Return x limited to [min, max]; one of the numbers may be None. NaN stays NaN.

    The gradient passes where min <= x <= max, as in PyTorch; x is saved.
    """
    x = float_tensor("clamp", "x", x)
    if min is None and max is None:
        raise ArgumentError("clamp: at least one of min and max is needed")
    kind = x.data.dtype.type
    case = (
        None if min is None else kind(number("clamp", "min", min)),
        None if max is None else kind(number("clamp", "max", max)),
    )
    y, saved = _forward(x.data, case)
    return record("clamp", (x,), y, _backward, saved, case)


def _forward(x, case):
    low, high = case
    y = x if low is None else np.maximum(x, low)
    return y if high is None else np.minimum(y, high), x


def _backward(dy, saved, case, needs):
    low, high = case
    passes = np.ones_like(saved, dtype=bool) if low is None else saved >= low
    if high is not None:
        passes &= saved <= high
    return (dy * passes,)
