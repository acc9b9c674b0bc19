"""ops.max: the largest element, of all or along one axis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..autograd import Tensor, record
from ..errors import ShapeError
from .operands import as_tensor, axis


class Max(NamedTuple):
    """The largest values along an axis and where they were."""

    values: Tensor
    indices: Tensor


def max(x, dim=None, keepdim=False):
    """Return the largest element of x, or a pair (values, indices) along the axis `dim`.

    Without `dim` the gradient is shared equally by equal largest elements; along an axis the first one receives it all.
    NaN counts as larger than every number. An axis without elements raises ShapeError.
    """
    x = as_tensor("max", "x", x)
    case = None if dim is None else (axis("max", "dim", dim, x.data.ndim), bool(keepdim))
    if (x.data.size if case is None or x.data.ndim == 0 else x.data.shape[case[0]]) == 0:
        raise ShapeError(f"max: x has no elements along dim={dim} (x.shape={x.data.shape})")
    if case is not None and x.data.ndim == 0:
        return Max(x, Tensor(np.zeros((), dtype=np.int64)))
    y, saved = _forward(x.data, case)
    values = record("max", (x,), y, _backward, saved, case)
    if case is None:
        return values
    index = saved[0]
    return Max(values, Tensor(index if case[1] else index.squeeze(case[0])))


def _forward(x, case):
    if case is None:
        y = x.max()
        return y, (x, y)
    dim, keep = case
    index = np.expand_dims(x.argmax(axis=dim), dim)
    y = np.take_along_axis(x, index, dim)
    return y if keep else y.squeeze(dim), (index, x.shape)


def _backward(dy, saved, case, needs):
    if case is None:
        x, y = saved
        winners = (x == y) | (np.isnan(x) & np.isnan(y))
        return (winners * (dy / dy.dtype.type(winners.sum())),)
    dim, keep = case
    index, shape = saved
    dx = np.zeros(shape, dtype=dy.dtype)
    np.put_along_axis(dx, index, dy if keep else np.expand_dims(dy, dim), dim)
    return (dx,)
