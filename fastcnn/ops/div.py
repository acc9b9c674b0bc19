"""ops.div: x / y with broadcasting."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
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
    with np.errstate(all="ignore"):
        return a / b, (a, b)


def _backward(dz, saved, case, needs):
    a, b = saved
    with np.errstate(all="ignore"):
        da = sum_to(dz / b, a.shape) if needs[0] else None
        db = sum_to(-dz * a / (b * b), b.shape) if needs[1] else None
    return da, db
