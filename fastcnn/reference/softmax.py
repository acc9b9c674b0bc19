"""reference.softmax: exp(x) / sum(exp(x)) of the rows of a matrix, and its logarithm."""

from __future__ import annotations

import numpy as np

from .precision import narrow, widen


def softmax_forward(x, logarithm=False):
    """Return softmax(x) of each row of x (rows, values), or its logarithm."""
    wide = widen(x)
    if not x.size:
        return narrow(wide, x.dtype)
    distance = wide - wide.max(axis=1, keepdims=True)
    power = np.exp(distance)
    total = power.sum(axis=1, keepdims=True)
    return narrow(distance - np.log(total) if logarithm else power / total, x.dtype)


def softmax_backward(dy, y, logarithm=False):
    """Return dx = y (dy - sum(dy y)), or dy - exp(y) sum(dy) for the logarithm; y is the result of forward."""
    dtype = y.dtype
    dy, y = widen(dy, y)
    if logarithm:
        return narrow(dy - np.exp(y) * dy.sum(axis=1, keepdims=True), dtype)
    return narrow(y * (dy - (dy * y).sum(axis=1, keepdims=True)), dtype)
