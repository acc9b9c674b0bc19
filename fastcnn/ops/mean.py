"""ops.mean: means over axes."""

from __future__ import annotations

import math

import numpy as np

from ..autograd import Tensor, record
from ..kernels import columns, convert, elementwise, entry
from ..threads import get_num_threads
from .operands import MOST_AXES, as_tensor, axes, expanded, memory_order


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
    saved = x.shape, memory_order(x)
    count = math.prod(x.shape[i] for i in over)
    threads = get_num_threads()
    if x.ndim > MOST_AXES or x.dtype.kind == "u":
        entry.refuse("a mean of unsigned integers or over more than 8 axes")
        with np.errstate(all="ignore"):
            total = x.sum(axis=over, keepdims=keep, dtype=np.float64)
            return (total / np.float32(count)).astype(x.dtype if x.dtype.kind == "f" else np.float32), saved
    if x.dtype.kind == "f":
        y = columns.over(x, over, count, threads=threads)
    else:
        total = convert.cast(convert.total(x, over, threads=threads), np.float64)
        y = convert.cast(elementwise.div(total, float(count)), np.float32)
    return np.expand_dims(y, over) if keep else y, saved


def _backward(dy, saved, case, needs):
    over, keep = case
    if not keep:
        dy = np.expand_dims(dy, over)
    count = max(math.prod(saved[0][i] for i in over), 1)
    return (expanded(elementwise.div(dy, count, threads=get_num_threads()), *saved),)
