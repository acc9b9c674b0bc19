"""ops.log_softmax: x - log(sum(exp(x))) along an axis."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from .operands import axis, float_tensor


def log_softmax(x, dim=-1) -> Tensor:
    """Return the logarithm of `softmax(x, dim)` without leaving the range of the dtype; the result is saved."""
    x = float_tensor("log_softmax", "x", x)
    case = axis("log_softmax", "dim", dim, x.data.ndim)
    y, saved = _forward(x.data, case)
    return record("log_softmax", (x,), y, _backward, saved, case)


def _forward(x, case):
    if x.ndim == 0 or x.size == 0:
        return np.zeros_like(x), np.zeros_like(x)
    with np.errstate(invalid="ignore"):
        y = x - x.max(axis=case, keepdims=True)
        y -= np.log(np.exp(y).sum(axis=case, keepdims=True))
    return y, y


def _backward(dy, saved, case, needs):
    if dy.ndim == 0:
        return (dy * 0,)
    return (dy - np.exp(saved) * dy.sum(axis=case, keepdims=True),)
