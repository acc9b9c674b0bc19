"""ops.sum: sums over axes."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..kernels import columns, convert, entry
from ..threads import get_num_threads
from .operands import MOST_AXES, as_tensor, axes, expanded, memory_order


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
    saved = x.shape, memory_order(x)
    if x.ndim > MOST_AXES or x.dtype.kind == "u":
        entry.refuse("a sum of unsigned integers or over more than 8 axes")
        return x.sum(axis=over, keepdims=keep), saved
    total = columns.over if x.dtype.kind == "f" else convert.total
    y = total(x, over, threads=get_num_threads())
    return np.expand_dims(y, over) if keep else y, saved


def _backward(dy, saved, case, needs):
    over, keep = case
    if not keep:
        dy = np.expand_dims(dy, over)
    return (expanded(dy, *saved),)
