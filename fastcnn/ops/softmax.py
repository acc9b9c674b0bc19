"""ops.softmax: exp(x) / sum(exp(x)) along an axis."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from .operands import axis, float_tensor


def softmax(x, dim=-1) -> Tensor:
    """Return exp(x) / sum(exp(x)) along the axis `dim`; the result is saved. The largest x is subtracted first."""
    x = float_tensor("softmax", "x", x)
    case = axis("softmax", "dim", dim, x.data.ndim)
    y, saved = _forward(x.data, case)
    return record("softmax", (x,), y, _backward, saved, case)


def _forward(x, case):
    if x.ndim == 0 or x.size == 0:
        return np.ones_like(x), np.ones_like(x)
    with np.errstate(invalid="ignore"):
        y = np.exp(x - x.max(axis=case, keepdims=True))
        y /= y.sum(axis=case, keepdims=True)
    return y, y


def _backward(dy, saved, case, needs):
    dx = dy * saved
    if dx.ndim:
        dx -= saved * dx.sum(axis=case, keepdims=True)
    return (dx if dx.ndim else dx * 0,)
