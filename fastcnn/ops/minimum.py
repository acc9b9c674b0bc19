"""ops.minimum: the smaller of x and y with broadcasting."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import choice, entry
from ..threads import get_num_threads
from .operands import operands, sum_to, unbroadcastable


def minimum(x, y) -> Tensor:
    """Return the smaller of x and y, elementwise with broadcasting; NaN where one of them is. Operands and errors as in `add`.

    The gradient goes to the smaller one, in halves to both where they are equal, whole to both where one is NaN, as in PyTorch.
    """
    x, y, a, b = operands("minimum", x, y)
    try:
        z, saved = _forward(a, b)
    except ValueError:
        raise unbroadcastable("minimum", a, b) from None
    return record("minimum", (x, y), z, _backward, saved)


def _forward(a, b):
    if a.dtype.kind != "f":
        entry.refuse("minimum of integers")
    return choice.minimum(a, b, threads=get_num_threads()), (a, b)


def _backward(dz, saved, case, needs):
    (a, b), threads = saved, get_num_threads()
    da = sum_to(choice.share(dz, b, a, threads=threads), a.shape) if needs[0] else None
    return da, sum_to(choice.share(dz, a, b, threads=threads), b.shape) if needs[1] else None
