"""ops.comparison: operations whose results carry no gradient: ==, <, argmax, ..."""

from __future__ import annotations

import numpy as np

from ..autograd import FLOATS, Tensor
from ..errors import ShapeError
from ..kernels import convert, entry, largest
from ..threads import get_num_threads
from .operands import as_tensor, axis, operands, unbroadcastable

MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def _comparison(op: str, ufunc):
    def compare(x, y) -> Tensor:
        _, _, a, b = operands(op, x, y)
        threads, name = get_num_threads(), op
        if not isinstance(a, np.ndarray):  # a number on the left
            a, b, name = b, a, MIRRORED[op]
        elif isinstance(b, np.ndarray) and a.dtype != b.dtype and np.uint64 not in (a.dtype, b.dtype):  # integers
            a, b = convert.cast(a, np.int64, threads=threads), convert.cast(b, np.int64, threads=threads)
        try:
            return Tensor(convert.compare(name, a, b, threads=threads))
        except ValueError:
            raise unbroadcastable(op, a, b) from None

    compare.__name__ = compare.__qualname__ = op
    compare.__doc__ = f"Return np.{ufunc.__name__}(x, y) as a bool Tensor, outside the tape."
    return compare


eq = _comparison("eq", np.equal)
ne = _comparison("ne", np.not_equal)
lt = _comparison("lt", np.less)
le = _comparison("le", np.less_equal)
gt = _comparison("gt", np.greater)
ge = _comparison("ge", np.greater_equal)


def _position(op: str, x, dim, keepdim) -> Tensor:
    x = as_tensor(op, "x", x)
    dim = None if dim is None else axis(op, "dim", dim, x.data.ndim)
    if (x.data.size if dim is None or x.data.ndim == 0 else x.data.shape[dim]) == 0:
        raise ShapeError(f"{op}: x has no elements along dim={dim} (x.shape={x.data.shape})")
    least, threads = op == "argmin", get_num_threads()
    if x.data.dtype in FLOATS and x.data.ndim:
        if dim is None:
            index = largest.max_all(x.data, least=least, threads=threads)[1]
            return Tensor(index.reshape((1,) * x.data.ndim) if keepdim else index)
        index = largest.max_forward(x.data, dim, least=least, threads=threads)[1]
        return Tensor(np.expand_dims(index, dim) if keepdim else index)
    entry.refuse(f"{op} of integers")
    return Tensor(getattr(np, op)(x.data, axis=dim if x.data.ndim else None, keepdims=bool(keepdim)))


def argmax(x, dim=None, keepdim=False) -> Tensor:
    """Return the (first) position of the largest element: in C order of all, or along the axis `dim`; int64."""
    return _position("argmax", x, dim, keepdim)


def argmin(x, dim=None, keepdim=False) -> Tensor:
    """Return the (first) position of the least element: in C order of all, or along the axis `dim`; int64."""
    return _position("argmin", x, dim, keepdim)
