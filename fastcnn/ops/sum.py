"""ops.sum: sums over axes."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from .operands import as_tensor, axes


def sum(x, dim=None, keepdim=False) -> Tensor:
    """Return the sum of x over the axes `dim` (None for all).

    Parameters
    ----------
    x : Tensor or array_like
    dim : int or tuple of int, optional
    keepdim : bool
        Keep the summed axes with length 1.
    """
    x = as_tensor("sum", "x", x)
    case = axes("sum", dim, x.data.ndim), bool(keepdim)
    y, saved = _forward(x.data, case)
    return record("sum", (x,), y, _backward, saved, case)


def _forward(x, case):
    over, keep = case
    return x.sum(axis=over, keepdims=keep), x.shape


def _backward(dy, saved, case, needs):
    over, keep = case
    if not keep:
        dy = np.expand_dims(dy, over)
    return (np.broadcast_to(dy, saved).copy(),)
