"""ops.exp: the exponential function."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from .operands import float_tensor


def exp(x) -> Tensor:
    """Return e ** x; the result is saved. Overflow gives Inf without a warning."""
    x = float_tensor("exp", "x", x)
    y, saved = _forward(x.data)
    return record("exp", (x,), y, _backward, saved)


def _forward(x):
    with np.errstate(all="ignore"):
        y = np.exp(x)
    return y, y


def _backward(dy, saved, case, needs):
    return (dy * saved,)
