"""ops.comparison: operations whose results carry no gradient: ==, <, argmax, ..."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor
from ..errors import ShapeError
from .operands import as_tensor, axis, operands, unbroadcastable


def _comparison(op: str, ufunc):
    def compare(x, y) -> Tensor:
        _, _, a, b = operands(op, x, y)
        try:
            return Tensor(ufunc(a, b))
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


def argmax(x, dim=None, keepdim=False) -> Tensor:
    """Return the (first) position of the largest element: in C order of all, or along the axis `dim`; int64."""
    x = as_tensor("argmax", "x", x)
    dim = None if dim is None else axis("argmax", "dim", dim, x.data.ndim)
    if (x.data.size if dim is None or x.data.ndim == 0 else x.data.shape[dim]) == 0:
        raise ShapeError(f"argmax: x has no elements along dim={dim} (x.shape={x.data.shape})")
    return Tensor(np.argmax(x.data, axis=dim if x.data.ndim else None, keepdims=bool(keepdim)))
