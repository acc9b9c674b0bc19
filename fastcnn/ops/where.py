"""ops.where: one of two values by a condition, with broadcasting."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..errors import DtypeError, ShapeError
from ..kernels import choice, entry
from ..threads import get_num_threads
from .operands import as_tensor, operands, sum_to


def where(condition, x, y) -> Tensor:
    """Return x where the condition holds, else y, elementwise with broadcasting.

    Parameters
    ----------
    condition : Tensor or array_like of bool
    x, y : Tensor, array_like or number
        Types as in `add`; of two numbers a float32, int64 or bool tensor is made.

    Raises
    ------
    DtypeError
        If the condition is not bool, or one of x and y is float32 and the other float64.
    ShapeError
        If the shapes do not broadcast.

    Notes
    -----
    The gradient goes to the one that was taken; the other gets 0, whatever it holds. The condition is saved.
    """
    c = as_tensor("where", "condition", condition).data
    if c.dtype != np.bool_:
        raise DtypeError(f"where: condition must be bool, got {c.dtype} (condition.shape={c.shape})")
    if not (isinstance(x, Tensor) and isinstance(y, Tensor)):
        x, y = (as_tensor("where", name, v) if isinstance(v, (bool, np.bool_)) else v for name, v in (("x", x), ("y", y)))
        if isinstance(x, (int, float, np.number)) and isinstance(y, (int, float, np.number)):
            x = as_tensor("where", "x", x)
    x, y, a, b = operands("where", x, y)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype != b.dtype:  # two kinds of integers
        entry.refuse("where of two kinds of integers")
        a, b = (v.astype(np.result_type(a, b)) for v in (a, b))
    try:
        z, saved = _forward(c, a, b)
    except ValueError:
        shapes = f"(condition.shape={c.shape}, x.shape={np.shape(a)}, y.shape={np.shape(b)})"
        raise ShapeError(f"where: shapes do not broadcast {shapes}") from None
    return record("where", (x, y), z, _backward, saved)


def _forward(c, a, b):
    return choice.where(c, a, b, threads=get_num_threads()), (c, a.shape, b.shape)


def _backward(dz, saved, case, needs):
    c, a_shape, b_shape = saved
    zero, threads = dz.dtype.type(0), get_num_threads()
    da = sum_to(choice.where(c, dz, zero, threads=threads), a_shape) if needs[0] else None
    return da, sum_to(choice.where(c, zero, dz, threads=threads), b_shape) if needs[1] else None
