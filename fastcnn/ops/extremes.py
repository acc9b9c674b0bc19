"""ops.extremes: what max and min share: checks, values and positions of the extreme elements, their gradient."""

from __future__ import annotations

import numpy as np

from ..autograd import FLOATS, Tensor, record
from ..errors import ShapeError
from ..kernels import entry, largest
from ..threads import get_num_threads
from .operands import as_tensor, axis


def extreme(op: str, x, dim, keepdim, forward, backward) -> tuple[Tensor, Tensor | None]:
    """Return the values of `op` ("max" or "min") and their positions; no positions without `dim`."""
    x = as_tensor(op, "x", x)
    case = None if dim is None else (axis(op, "dim", dim, x.data.ndim), bool(keepdim))
    if (x.data.size if case is None or x.data.ndim == 0 else x.data.shape[case[0]]) == 0:
        raise ShapeError(f"{op}: x has no elements along dim={dim} (x.shape={x.data.shape})")
    if case is not None and x.data.ndim == 0:
        return x, Tensor(np.zeros((), dtype=np.int64))
    y, saved = forward(x.data, case)
    return record(op, (x,), y, backward, saved, case), None if case is None else Tensor(saved[1])


def extreme_forward(op: str, x, case):
    """Return y, and x with what the gradient needs: y, or the positions along an axis."""
    least, threads = op == "min", get_num_threads()
    if x.dtype not in FLOATS:
        entry.refuse(f"{op} of integers")
        y = np.asarray(getattr(x, op)()) if case is None else getattr(x, op)(axis=case[0], keepdims=case[1])
        return y, (x, y if case is None else getattr(x, f"arg{op}")(axis=case[0], keepdims=case[1]))
    if case is None:
        y, _ = largest.max_all(x, least=least, threads=threads)
        return y, (x, y)
    y, index = largest.max_forward(x, case[0], least=least, threads=threads)
    if case[1]:
        y, index = np.expand_dims(y, case[0]), np.expand_dims(index, case[0])
    return y, (x, index)


def extreme_backward(dy, saved, case):
    """Return the gradient of x, the same for both."""
    x, found = saved
    threads = get_num_threads()
    if case is None:
        return (largest.max_all_backward(dy, x, found, threads=threads),)
    if case[1]:
        dy, found = dy.squeeze(case[0]), found.squeeze(case[0])
    return (largest.max_backward(dy, found, x, case[0], threads=threads),)
