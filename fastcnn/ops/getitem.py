"""ops.getitem: x[index], basic and advanced indexing."""

from __future__ import annotations

import math

import numpy as np

from ..autograd import Tensor, record
from ..errors import ArgumentError
from ..kernels import entry, strided, take
from ..threads import get_num_threads
from .operands import as_tensor, empty, memory_order, reshaped, zeros
from .positions import is_basic, moved_back, moved_first, plain_index, positions


def getitem(x, index) -> Tensor:
    """Return x[index] by NumPy's rules; slices share memory, index arrays copy.

    The gradient of an element that is taken several times is the sum. A wrong index raises IndexError, as in PyTorch.
    """
    x = as_tensor("getitem", "x", x)
    case = plain_index(index)
    try:
        y, saved = _forward(x.data, case)
    except IndexError as error:
        raise IndexError(f"getitem: {error} (x.shape={x.data.shape})") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentError(f"getitem: {error} (x.shape={x.data.shape})") from None
    return record("getitem", (x,), y, _backward, saved, case)


def _forward(x, case):
    parts = case if isinstance(case, tuple) else (case,)
    saved = x.shape, memory_order(x)
    if is_basic(parts):
        return x[case if Ellipsis in parts else (*parts, Ellipsis)], saved  # a view of one element, too
    places = positions(x, parts)
    if places is None:
        entry.refuse("getitem by a mask, or by arrays of positions that are not neighbours")
        return x[case], saved
    at, index, shape = places
    y = take.take(moved_first(x, at, len(index)), index, threads=get_num_threads())
    y = y.reshape(*shape, *y.shape[1:])
    return moved_back(y, at, len(shape)), saved


def _backward(dy, saved, case, needs):
    shape, order = saved
    parts = case if isinstance(case, tuple) else (case,)
    if is_basic(parts):
        dx = zeros(shape, dy.dtype, order)
        strided.copy_to(dx[case if Ellipsis in parts else (*parts, Ellipsis)], dy, threads=get_num_threads())
        return (dx,)
    dx = empty(shape, dy.dtype, order)
    places = positions(dx, parts)
    if places is None:
        dx[...] = 0
        np.add.at(dx, case, dy)
        return (dx,)
    at, index, grid = places
    dy = moved_first(dy, at, len(grid))
    dy = reshaped(dy, (math.prod(grid), *dy.shape[len(grid) :]))
    dx = take.take_backward(dy, index, moved_first(dx, at, len(index)), threads=get_num_threads())
    return (moved_back(dx, at, len(index)),)
