"""ops.pow: x ** y with broadcasting."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..errors import ArgumentError
from .operands import operands, sum_to, unbroadcastable


def pow(x, y) -> Tensor:
    """Return x ** y, elementwise with broadcasting; operands as in `add`.

    dx = dz * y * x ** (y - 1), zero where y is 0; dy = dz * z * log(x), zero where z is 0.
    """
    x, y, a, b = operands("pow", x, y)
    if a.dtype.kind != "f" and (b < 0).any():
        raise ArgumentError(f"pow: integers cannot be raised to a negative power (x.shape={a.shape}, y.shape={b.shape})")
    try:
        z, saved = _forward(a, b)
    except ValueError:
        raise unbroadcastable("pow", a, b) from None
    return record("pow", (x, y), z, _backward, saved)


def _forward(a, b):
    with np.errstate(all="ignore"):
        z = a**b
    return z, (a, b, z)


def _backward(dz, saved, case, needs):
    a, b, z = saved
    da = db = None
    with np.errstate(all="ignore"):
        if needs[0]:
            da = dz * 2 * a if b.ndim == 0 and b == 2 else dz * np.where(b == 0, 0, b * a ** (b - 1))
            da = sum_to(da, a.shape)
        if needs[1]:
            db = sum_to(dz * np.where(z == 0, 0, z * np.log(a)), b.shape)
    return da, db
