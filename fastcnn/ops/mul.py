"""ops.mul: x * y with broadcasting."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import elementwise
from ..threads import get_num_threads
from .operands import operands, sum_to, unbroadcastable


def mul(x, y) -> Tensor:
    """Return x * y, elementwise with broadcasting; operands as in `add`. Both are saved."""
    x, y, a, b = operands("mul", x, y)
    try:
        z, saved = _forward(a, b)
    except ValueError:
        raise unbroadcastable("mul", a, b) from None
    return record("mul", (x, y), z, _backward, saved)


def _forward(a, b):
    return elementwise.mul(a, b, threads=get_num_threads()), (a, b)


def _backward(dz, saved, case, needs):
    a, b = saved
    threads = get_num_threads()
    return (
        sum_to(elementwise.mul(dz, b, threads=threads), a.shape) if needs[0] else None,
        sum_to(elementwise.mul(dz, a, threads=threads), b.shape) if needs[1] else None,
    )
