"""ops.log: the natural logarithm."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from .operands import float_tensor


def log(x) -> Tensor:
    """Return the natural logarithm of x; -Inf at 0 and NaN below, without a warning."""
    x = float_tensor("log", "x", x)
    y, saved = _forward(x.data)
    return record("log", (x,), y, _backward, saved)


def _forward(x):
    with np.errstate(all="ignore"):
        return np.log(x), x


def _backward(dy, saved, case, needs):
    with np.errstate(all="ignore"):
        return (dy / saved,)
