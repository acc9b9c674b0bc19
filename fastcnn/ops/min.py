"""ops.min: the least element, of all or along one axis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..autograd import FLOATS, Tensor, record
from ..errors import ShapeError
from ..kernels import entry, largest
from ..threads import get_num_threads
from .minimum import minimum
from .operands import as_tensor, axis


class Min(NamedTuple):
    """The least values along an axis and where they were."""

    values: Tensor
    indices: Tensor


def min(x, dim=None, keepdim=False):
    """Return the least element of x, or a pair (values, indices) along the axis `dim`.

    Without `dim` the gradient is shared equally by equal least elements; along an axis the first one receives it all.
    NaN counts as less than every number. An axis without elements raises ShapeError.
    With a tensor or an array in the place of `dim` this is `minimum`, as in PyTorch.
    """
    if isinstance(dim, (Tensor, np.ndarray)):
        return minimum(x, dim)
    x = as_tensor("min", "x", x)
    case = None if dim is None else (axis("min", "dim", dim, x.data.ndim), bool(keepdim))
    if (x.data.size if case is None or x.data.ndim == 0 else x.data.shape[case[0]]) == 0:
        raise ShapeError(f"min: x has no elements along dim={dim} (x.shape={x.data.shape})")
    if case is not None and x.data.ndim == 0:
        return Min(x, Tensor(np.zeros((), dtype=np.int64)))
    y, saved = _forward(x.data, case)
    values = record("min", (x,), y, _backward, saved, case)
    return values if case is None else Min(values, Tensor(saved[1]))


def _forward(x, case):
    threads = get_num_threads()
    if x.dtype not in FLOATS:
        entry.refuse("min of integers")
        y = np.asarray(x.min()) if case is None else x.min(axis=case[0], keepdims=case[1])
        return y, (x, y if case is None else x.argmin(axis=case[0], keepdims=case[1]))
    if case is None:
        y, _ = largest.max_all(x, least=True, threads=threads)
        return y, (x, y)
    y, index = largest.max_forward(x, case[0], least=True, threads=threads)
    if case[1]:
        y, index = np.expand_dims(y, case[0]), np.expand_dims(index, case[0])
    return y, (x, index)


def _backward(dy, saved, case, needs):
    x, found = saved
    threads = get_num_threads()
    if case is None:
        return (largest.max_all_backward(dy, x, found, threads=threads),)
    if case[1]:
        dy, found = dy.squeeze(case[0]), found.squeeze(case[0])
    return (largest.max_backward(dy, found, x, case[0], threads=threads),)
