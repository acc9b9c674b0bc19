"""ops.div: x / y with broadcasting."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..kernels import elementwise
from ..threads import get_num_threads
from .operands import operands, sum_to, unbroadcastable


def div(x, y) -> Tensor:
    """Return x / y, elementwise with broadcasting; operands as in `add`.

    Integers are divided as float32. Division by zero gives Inf or NaN without a warning, as in PyTorch.
    """
    x, y, a, b = operands("div", x, y)
    if a.dtype.kind != "f":
        a, b = a.astype(np.float32), b.astype(np.float32)
    try:
        z, saved = _forward(a, b)
    except ValueError:
        raise unbroadcastable("div", a, b) from None
    return record("div", (x, y), z, _backward, saved)


def _forward(a, b):
    return elementwise.div(a, b, threads=get_num_threads()), (a, b)


def _backward(dz, saved, case, needs):
    a, b = saved
    threads = get_num_threads()
    da = db = None
    if needs[0]:
        da = sum_to(elementwise.div(dz, b, threads=threads), a.shape)
    if needs[1]:  # -dz a / b^2
        db = elementwise.mul(elementwise.mul(dz, -1, threads=threads), a, threads=threads)
        db = sum_to(elementwise.div(db, elementwise.mul(b, b, threads=threads), threads=threads), b.shape)
    return da, db
