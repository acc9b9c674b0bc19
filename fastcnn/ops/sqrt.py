"""ops.sqrt: the square root."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from .operands import float_tensor


def sqrt(x) -> Tensor:
    """Return the square root of x; NaN below 0, without a warning. The result is saved: dx = dy / (2 y)."""
    x = float_tensor("sqrt", "x", x)
    y, saved = _forward(x.data)
    return record("sqrt", (x,), y, _backward, saved)


def _forward(x):
    with np.errstate(all="ignore"):
        y = np.sqrt(x)
    return y, y


def _backward(dy, saved, case, needs):
    with np.errstate(all="ignore"):
        return (dy / (2 * saved),)
