"""ops.maximum: the larger of x and y with broadcasting."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import choice, entry
from ..threads import get_num_threads
from .operands import operands, sum_to, unbroadcastable


def maximum(x, y) -> Tensor:
    """Return the larger of x and y, elementwise with broadcasting; NaN where one of them is. Operands and errors as in `add`.

    The gradient goes to the larger one, in halves to both where they are equal, whole to both where one is NaN, as in PyTorch.
    """
    x, y, a, b = operands("maximum", x, y)
    try:
        z, saved = _forward(a, b)
    except ValueError:
        raise unbroadcastable("maximum", a, b) from None
    return record("maximum", (x, y), z, _backward, saved)


def _forward(a, b):
    if a.dtype.kind != "f":
        entry.refuse("maximum of integers")
    return choice.maximum(a, b, threads=get_num_threads()), (a, b)


def _backward(dz, saved, case, needs):
    (a, b), threads = saved, get_num_threads()
    da = sum_to(choice.share(dz, a, b, threads=threads), a.shape) if needs[0] else None
    return da, sum_to(choice.share(dz, b, a, threads=threads), b.shape) if needs[1] else None
