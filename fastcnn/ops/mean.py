"""ops.mean: means over axes."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from .operands import as_tensor, axes


def mean(x, dim=None, keepdim=False) -> Tensor:
    """Return the mean of x over the axes `dim` (None for all); arguments as in `sum`.

    The mean of integers or booleans is float32, that of no elements NaN.
    """
    x = as_tensor("mean", "x", x)
    case = axes("mean", dim, x.data.ndim), bool(keepdim)
    y, saved = _forward(x.data, case)
    return record("mean", (x,), y, _backward, saved, case)


def _forward(x, case):
    over, keep = case
    total = x.sum(axis=over, keepdims=keep, dtype=None if x.dtype.kind == "f" else np.float64)
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)
    count = x.size // max(total.size, 1)
    with np.errstate(all="ignore"):
        return (total / dtype.type(count)).astype(dtype), x.shape


def _backward(dy, saved, case, needs):
    over, keep = case
    if not keep:
        dy = np.expand_dims(dy, over)
    count = 1
    for i in over:
        count *= saved[i]
    return (np.broadcast_to(dy / dy.dtype.type(max(count, 1)), saved).copy(),)
