"""ops.mul: x * y with broadcasting."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import elementwise
from ..threads import get_num_threads
from .operands import LARGE, operands, sum_to, unbroadcastable


def mul(x, y) -> Tensor:
    """Return x * y, elementwise with broadcasting; operands as in `add`. Both are saved."""
    x, y, a, b = operands("mul", x, y)
    try:
        z, saved = _forward(a, b)
    except ValueError:
        raise unbroadcastable("mul", a, b) from None
    return record("mul", (x, y), z, _backward, saved)


def _forward(a, b):
    large = a.size >= LARGE or b.size >= LARGE
    z = elementwise.mul(a, b, threads=get_num_threads()) if large else a * b
    return z, (a, b)


def _backward(dz, saved, case, needs):
    a, b = saved
    return (sum_to(dz * b, a.shape) if needs[0] else None, sum_to(dz * a, b.shape) if needs[1] else None)
