"""ops.add: x + y with broadcasting."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import elementwise
from ..threads import get_num_threads
from .operands import operands, sum_to, unbroadcastable


def add(x, y) -> Tensor:
    """Return x + y, elementwise with broadcasting.

    Parameters
    ----------
    x, y : Tensor, array_like or number

    Raises
    ------
    ShapeError
        If the shapes do not broadcast.
    DtypeError
        If one is float32 and the other float64.
    """
    x, y, a, b = operands("add", x, y)
    try:
        z, saved = _forward(a, b)
    except ValueError:
        raise unbroadcastable("add", a, b) from None
    return record("add", (x, y), z, _backward, saved)


def _forward(a, b):
    return elementwise.add(a, b, threads=get_num_threads()), (a.shape, b.shape)


def _backward(dz, saved, case, needs):
    return (sum_to(dz, saved[0]) if needs[0] else None, sum_to(dz, saved[1]) if needs[1] else None)
