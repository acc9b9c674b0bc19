"""ops.getitem: x[index], basic and advanced indexing."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..errors import ArgumentError
from ..kernels import entry, strided
from ..threads import get_num_threads
from .operands import as_tensor, is_basic, memory_order, plain_index, zeros


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
    if not is_basic(parts):
        entry.refuse("getitem by an array of positions")
    elif Ellipsis not in parts:  # a view of one element, too
        case = (*parts, Ellipsis)
    return x[case], (x.shape, memory_order(x))


def _backward(dy, saved, case, needs):
    shape, order = saved
    dx = zeros(shape, dy.dtype, order)
    parts = case if isinstance(case, tuple) else (case,)
    if not is_basic(parts):
        np.add.at(dx, case, dy)
    else:
        place = dx[case if Ellipsis in parts else (*parts, Ellipsis)]
        strided.copy_to(place, dy, threads=get_num_threads())
    return (dx,)
